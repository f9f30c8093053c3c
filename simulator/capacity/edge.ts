// The value at which something begins to hold, between one that does not and one that does.

export type EdgeSearch = {
  /** Above zero, as `holds`. */
  readonly fails: number;
  readonly holds: number;
  /** How near both may come to each other, as a share. */
  readonly resolutionRatio: number;
  /** To what can be tried: whole devices, rates of few digits. */
  readonly quantize: (value: number) => number;
  readonly test: (value: number) => Promise<boolean>;
};

/** Tried at once. The same on every machine: its number of cores must not change what is found. */
const triedAtOnce = 3;

/** Gives a value that was seen to hold (`holds` itself is believed), within the resolution of one that does not. */
export async function findEdge(search: EdgeSearch): Promise<number> {
  const { resolutionRatio, quantize, test } = search;
  let { fails, holds } = search;
  for (;;) {
    const ratio = holds / fails;
    if (Math.max(ratio, 1 / ratio) <= 1 + resolutionRatio) return holds;
    const between = Array.from({ length: triedAtOnce }, (_, index) =>
      quantize(fails * ratio ** ((index + 1) / (triedAtOnce + 1))),
    );
    const fresh = [...new Set(between)].filter((value) => value !== fails && value !== holds);
    if (fresh.length === 0) return holds;
    const outcomes = await Promise.all(fresh.map(test));
    const first = outcomes.indexOf(true);
    if (first < 0) fails = fresh.at(-1) as number;
    else {
      holds = fresh[first] as number;
      fails = fresh[first - 1] ?? fails;
    }
  }
}

/** Rounds to so many digits. */
export const toDigits =
  (digits: number) =>
  (value: number): number =>
    Number(value.toPrecision(digits));
