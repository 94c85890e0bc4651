/** The known name that one or two typing mistakes could have made this name. */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  const written = name.toLowerCase();
  return [0, 1, 2]
    .flatMap((mistakes) => known.filter((one) => within(written, one.toLowerCase(), mistakes)))
    .at(0);
}

/** Whether at most so many insertions, deletions and substitutions turn one text into the other. */
function within(a: string, b: string, mistakes: number): boolean {
  if (a === b) return true;
  const [restOfA, restOfB] = [a.slice(1), b.slice(1)];
  if (a[0] === b[0]) return within(restOfA, restOfB, mistakes);
  if (mistakes === 0) return false;
  const pairs = [
    [restOfA, restOfB],
    [restOfA, b],
    [a, restOfB],
  ] as const;
  return pairs.some(([one, other]) => within(one, other, mistakes - 1));
}
