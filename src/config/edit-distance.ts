/**
 * Counts insertions, deletions, substitutions and swaps of neighbours between two names (optimal
 * string alignment). The result is exact up to 2; anything above means "more than 2".
 */
export function edits(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > 2) return 3;
  let [beforeLast, last]: [readonly number[], readonly number[]] = [
    [],
    Array.from({ length: b.length + 1 }, (_, index) => index),
  ];
  for (let row = 1; row <= a.length; row++) {
    const next = [row];
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1];
      const swapped =
        row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      next.push(
        Math.min(
          (last[column] ?? 3) + 1,
          (next[column - 1] ?? 3) + 1,
          (last[column - 1] ?? 3) + (same ? 0 : 1),
          swapped ? (beforeLast[column - 2] ?? 3) + 1 : Number.POSITIVE_INFINITY,
        ),
      );
    }
    [beforeLast, last] = [last, next];
  }
  return last[b.length] ?? 3;
}
