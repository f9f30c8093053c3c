// What of a request's fields is acted on elsewhere: its conditions, and what an origin must see.

import type { ConditionFields } from './preconditions.ts';
import type { RequestHead } from './request-head.ts';

/** The preconditions of a request, by the names of their fields. */
export const conditionsOf = (request: RequestHead): ConditionFields => ({
  'if-match': request.ifMatch,
  'if-none-match': request.ifNoneMatch,
  'if-modified-since': request.ifModifiedSince,
  'if-unmodified-since': request.ifUnmodifiedSince,
  'if-range': request.ifRange,
});

/** What of the client's own fields an origin must see when a request goes through. */
export function forwardedFields(request: RequestHead): (readonly [string, string])[] {
  const all: readonly (readonly [string, string | undefined])[] = [
    ['Range', request.range],
    ['If-Match', request.ifMatch],
    ['If-None-Match', request.ifNoneMatch],
    ['If-Modified-Since', request.ifModifiedSince],
    ['If-Unmodified-Since', request.ifUnmodifiedSince],
    ['If-Range', request.ifRange],
    ['Authorization', request.authorization],
  ];
  return all.flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]));
}
