// Which of our YAML files a document is, by its keys: one that is given for another is told by its name.

import { isObject } from './outline.ts';

export const isScenarioDocument = (document: unknown): boolean =>
  isObject(document) && document['fleet'] !== undefined && document['deadline'] === undefined;

export const isPlanDocument = (document: unknown): boolean =>
  isObject(document) &&
  document['deadline'] !== undefined &&
  document['payload'] !== undefined &&
  document['fleet'] === undefined &&
  document['content'] === undefined;
