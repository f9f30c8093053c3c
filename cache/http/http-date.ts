// Dates as HTTP writes them (RFC 9110, 5.6.7): the one form that is sent, and the two old ones that must be understood.
// Anything else is no date: `Date.parse` takes "0" for the year 2000.

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const days = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const longDays = 'Sunday|Monday|Tuesday|Wednesday|Thursday|Friday|Saturday';

const time = '([0-9]{2}):([0-9]{2}):([0-9]{2})';
const month = `(${months.join('|')})`;
/** Sun, 06 Nov 1994 08:49:37 GMT */
const fixed = new RegExp(`^(?:${days.join('|')}), ([0-9]{2}) ${month} ([0-9]{4}) ${time} GMT$`);
/** Sunday, 06-Nov-94 08:49:37 GMT */
const rfc850 = new RegExp(`^(?:${longDays}), ([0-9]{2})-${month}-([0-9]{2}) ${time} GMT$`);
/** Sun Nov  6 08:49:37 1994 */
const asctime = new RegExp(`^(?:${days.join('|')}) ${month} ([0-9 ][0-9]) ${time} ([0-9]{4})$`);

/** Epoch ms of an HTTP date; `undefined` when it is absent or of none of the three forms. `nowMs` dates two-digit years. */
export function parseHttpDate(text: string | undefined, nowMs: number = Date.now()): number | undefined {
  if (text === undefined) return undefined;
  let match = fixed.exec(text);
  if (match !== null) return epochMs(match[3], match[2], match[1], match.slice(4));
  match = rfc850.exec(text);
  if (match !== null) return epochMs(centuryOf(Number(match[3]), nowMs), match[2], match[1], match.slice(4));
  match = asctime.exec(text);
  return match === null ? undefined : epochMs(match[6], match[1], match[2], match.slice(3, 6));
}

function epochMs(
  year: string | number | undefined,
  monthName: string | undefined,
  day: string | undefined,
  clock: readonly (string | undefined)[],
): number | undefined {
  const [hour = 99, minute = 99, second = 99] = clock.map(Number);
  const monthIndex = months.indexOf(monthName ?? '');
  const dayOfMonth = Number(day);
  const ms = Date.UTC(Number(year), monthIndex, dayOfMonth, hour, minute, Math.min(second, 59));
  const isReal = new Date(ms).getUTCDate() === dayOfMonth && hour < 24 && minute < 60 && second <= 60;
  return isReal ? ms : undefined;
}

/** A two-digit year that would be more than 50 years ahead is one of the century before. */
function centuryOf(twoDigits: number, nowMs: number): number {
  const thisYear = new Date(nowMs).getUTCFullYear();
  const year = Math.floor(thisYear / 100) * 100 + twoDigits;
  return year > thisYear + 50 ? year - 100 : year;
}
