// A thread of a pool of virtual runs: a job comes, an outcome goes. An error that is no operator's ends the thread; the pool says so.

import { parentPort } from 'node:worker_threads';
import { assert } from '../../common/errors.ts';
import { runVirtualJob, type VirtualJob } from './virtual-job.ts';

const port = parentPort;
assert(port !== null, 'this file is started as a thread');
port.on('message', (job: VirtualJob) => {
  void runVirtualJob(job).then((outcome) => port.postMessage(outcome));
});
