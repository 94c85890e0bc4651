/** The middle value. */
export const median = (values: readonly number[]): number =>
  values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)] ?? 0;

/** A mean and the half of its 95 % interval. */
export interface Mean {
  readonly mean: number;
  readonly within: number;
}

/**
 * The mean of the middle four fifths, for a machine that stops now and then. Its error comes from
 * the winsorized variance (Tukey and McLaughlin, 1963).
 */
export function trimmedMean(values: readonly number[]): Mean {
  const cut = Math.floor(values.length / 10);
  const kept = values.toSorted((one, other) => one - other).slice(cut, values.length - cut);
  const [least = 0, most = 0] = [kept[0], kept.at(-1)];
  const clamped = values.map((value) => Math.min(Math.max(value, least), most));
  const center = average(clamped);
  const squares = clamped.reduce((sum, value) => sum + (value - center) ** 2, 0);
  const deviation = Math.sqrt(squares / (values.length - 1));
  return { mean: average(kept), within: (2 * deviation) / (0.8 * Math.sqrt(values.length)) };
}

const average = (values: readonly number[]) =>
  values.reduce((sum, value) => sum + value, 0) / values.length;
