// Least squares for what a calibration fits: sums of non-negative costs (ms a request, ms a byte), over measurements that
// span orders of magnitude and have outliers. So residuals are relative, coefficients are not negative, and rows far off
// count less (Huber's weights, found by repetition).
//
//   measured ≈ Σ coefficient × term        residual = ln(fitted ÷ measured), to first order

import { fcnnlsVector } from 'ml-fcnnls';
import { assert } from '../../common/errors.ts';

/** One measurement, above zero, and how often each cost is in it. */
export type Row = { readonly terms: readonly number[]; readonly measured: number };

/** How far fitted values are from measured ones, as |ln(fitted ÷ measured)|: 0.05 is 5 %. */
export type Residuals = {
  /** Number of measurements. */
  readonly count: number;
  readonly medianLn: number;
  readonly worstLn: number;
};

export type Fit = { readonly coefficients: readonly number[]; readonly residuals: Residuals };

const repetitions = 20;
/** Residuals up to so many standard deviations count in full: 95 % efficient where the noise is normal (Huber 1964). */
const huberK = 1.345;
/** Makes a median absolute deviation a standard deviation, for normal noise. */
const madScale = 1.4826;
/** Residuals below this are as good as none. */
const deviationMin = 1e-6;

/** Fits as many coefficients, none negative, as each row has terms. At least one row; with too few rows some are 0. */
export function fitCosts(rows: readonly Row[]): Fit {
  const width = rows[0]?.terms.length ?? 0;
  assert(
    rows.every(({ terms, measured }) => measured > 0 && terms.length === width),
    'rows are above zero and of one width',
  );
  assert(width > 0, 'there is something to fit');
  let weights = rows.map(() => 1);
  /** What residuals are relative to: between measured and fitted, so that twice and half are equally far. */
  let scales = rows.map(({ measured }) => measured);
  let coefficients: readonly number[] = [];
  for (let i = 0; i < repetitions; i += 1) {
    const factors = rows.map((_, row) => Math.sqrt(weights[row] ?? 0) / (scales[row] ?? 1));
    coefficients = leastSquares(rows, factors, width);
    const fitted = rows.map((row) => costOf(coefficients, row.terms));
    scales = rows.map(({ measured }, row) => Math.sqrt(measured * Math.max(fitted[row] ?? 0, measured / 100)));
    const residuals = rows.map(({ measured }, row) => ((fitted[row] ?? 0) - measured) / (scales[row] ?? 1));
    const deviation = Math.max(deviationMin, madScale * median(residuals.map(Math.abs)));
    weights = residuals.map((residual) => Math.min(1, (huberK * deviation) / Math.max(Math.abs(residual), 1e-12)));
  }
  const pairs = rows.map(({ terms, measured }) => ({ fitted: costOf(coefficients, terms), measured }));
  return { coefficients, residuals: residualsOf(pairs) };
}

export function residualsOf(pairs: readonly { readonly fitted: number; readonly measured: number }[]): Residuals {
  const lns = pairs.map(({ fitted, measured }) => Math.abs(Math.log(fitted / measured)));
  return { count: lns.length, medianLn: median(lns), worstLn: Math.max(...lns) };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
  const lower = sorted[Math.ceil(sorted.length / 2) - 1] ?? Number.NaN;
  return (lower + upper) / 2;
}

const costOf = (coefficients: readonly number[], terms: readonly number[]): number =>
  terms.reduce((sum, term, i) => sum + term * (coefficients[i] ?? 0), 0);

/** Terms are brought to one size first: a request and a byte differ by a factor of a million. */
function leastSquares(rows: readonly Row[], factors: readonly number[], width: number): readonly number[] {
  const columns = Array.from({ length: width }, (_, i) => i);
  const sizes = columns.map((column) =>
    Math.hypot(...rows.map(({ terms }, row) => (terms[column] ?? 0) * (factors[row] ?? 0))),
  );
  const used = columns.filter((column) => (sizes[column] ?? 0) > 0);
  const matrix = rows.map(({ terms }, row) =>
    used.map((column) => ((terms[column] ?? 0) * (factors[row] ?? 0)) / (sizes[column] ?? 1)),
  );
  const solution = fcnnlsVector(
    matrix,
    rows.map(({ measured }, row) => measured * (factors[row] ?? 0)),
  ).K.to1DArray();
  const coefficients = columns.map(() => 0);
  for (const [place, column] of used.entries()) coefficients[column] = (solution[place] ?? 0) / (sizes[column] ?? 1);
  return coefficients;
}
