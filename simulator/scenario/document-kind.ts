// Which of our YAML files a document is, by its keys: one that is given for another is told by its name.

import { isObject } from './outline.ts';

/** A scenario and no capacity plan, whatever is wrong in it. */
export const isScenarioDocument = (document: unknown): boolean =>
  isObject(document) && document['fleet'] !== undefined && document['deadline'] === undefined;

/** A capacity plan and no scenario, whatever is wrong in it. */
export const isPlanDocument = (document: unknown): boolean =>
  isObject(document) &&
  (document['deadline'] ?? document['payload']) !== undefined &&
  document['fleet'] === undefined &&
  document['content'] === undefined;
