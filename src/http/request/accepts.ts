/**
 * Whether a list of preferences (RFC 9110 §12.5) accepts one of these names, most specific first:
 * the first one listed decides, and weight 0 refuses. Without a list, everything is accepted.
 */
export function accepts(field: string | undefined, names: readonly string[]): boolean {
  if (field === undefined || field.trim() === '') return true;
  const refused = new Map<string, boolean>();
  for (const item of field.split(',')) {
    const [name = '', ...parameters] = item.split(';').map((part) => part.trim().toLowerCase());
    refused.set(
      name,
      parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter)),
    );
  }
  const listed = names.find((name) => refused.has(name));
  return listed !== undefined && refused.get(listed) === false;
}
