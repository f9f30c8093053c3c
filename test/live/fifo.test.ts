import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Fifo } from '../../simulator/world/live/fifo.ts';

it('a queue gives what was put in, in order, however much waits in between', () => {
  const steps = fc.array(fc.integer({ min: -400, max: 800 }), { maxLength: 20 });
  fc.assert(
    fc.property(steps, (counts) => {
      const queue = new Fifo<number>();
      const model: number[] = [];
      let next = 0;
      for (const count of counts) {
        for (let i = 0; i < count; i += 1, next += 1) {
          queue.push(next);
          model.push(next);
        }
        for (let i = 0; i < -count && model.length > 0; i += 1) expect(queue.take()).toBe(model.shift());
        expect([queue.count, queue.first]).toEqual([model.length, model[0]]);
      }
    }),
    { numRuns: 50, seed: 20_261_128 },
  );
  expect(() => new Fifo().take()).toThrow('Assertion failed');
});
