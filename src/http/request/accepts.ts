/**
 * Whether a list of preferences (RFC 9110 §12.5) accepts one of these names, most specific first:
 * the first one listed decides, and weight 0 refuses. Without a list, everything is accepted.
 */
export function accepts(field: string | undefined, names: readonly string[]): boolean {
  return field === undefined || field.trim() === '' || weightOf(field, names) > 0;
}

/**
 * Whether a list of preferences accepts one of these names, with at least the weight of the others.
 * Both are most specific first. Without a list, nothing is preferred.
 */
export function prefers(
  field: string | undefined,
  names: readonly string[],
  others: readonly string[],
): boolean {
  const weight = weightOf(field ?? '', names);
  return weight > 0 && weight >= weightOf(field ?? '', others);
}

/** The weight (RFC 9110 §12.4.2) of the first of these names that is listed; 0 if none is. */
function weightOf(field: string, names: readonly string[]): number {
  const weights = new Map<string, number>();
  for (const item of field.split(',')) {
    const [name = '', ...parameters] = item.split(';').map((part) => part.trim().toLowerCase());
    const weight = parameters.find((parameter) => /^q=(0(\.\d*)?|1(\.0*)?)$/.test(parameter));
    const given = Number(weight?.slice('q='.length) ?? 1);
    weights.set(name, Math.max(given, weights.get(name) ?? 0));
  }
  const listed = names.find((name) => weights.has(name));
  return (listed === undefined ? undefined : weights.get(listed)) ?? 0;
}
