// What the model predicted against what was measured, metric by metric. |ln(predicted ÷ measured)| is the same for twice as
// much and half as much; for small differences it is their share.

/** One metric of both runs. */
export type PredictedMetric = {
  readonly name: string;
  readonly predicted: number;
  readonly measured: number;
  /** ln(predicted ÷ measured): above 0 the model promised too much. */
  readonly lnRatio: number;
};

/** Rates, times, bytes and ratios that a model can be wrong about; counts that follow from the scenario are not among them. */
const compared: readonly RegExp[] = [
  /^node\.[^.]+\.egressBitsPerSecond\.(mean|sustained|peak)$/,
  /^node\.[^.]+\.(egressBytes|missBytes|hitRatioBytes)$/,
  /^cdn\.egressBytes$/,
  /^cdn\.egressBitsPerSecond\.peak$/,
  /^fleet\.(finishMs|bytesFromCacheServer|bytesFromCdn)$/,
  /^devices\.completionMs\.(p50|p95|max)$/,
  /^range\.serviceMs\.(p50|p99)$/,
  /^fallback\.(deviceCount|cdnByteRatio|timeMs\.p50)$/,
];

type Metrics = Readonly<Record<string, number>>;

/** Metrics that both runs have and neither of which is zero, in the order of the measurement. */
export function comparePrediction(prediction: Metrics, measurement: Metrics): readonly PredictedMetric[] {
  return Object.entries(measurement).flatMap(([name, measured]) => {
    const predicted = prediction[name];
    const isCompared = compared.some((pattern) => pattern.test(name));
    if (!isCompared || predicted === undefined || predicted <= 0 || measured <= 0) return [];
    return [{ name, predicted, measured, lnRatio: Math.log(predicted / measured) }];
  });
}
