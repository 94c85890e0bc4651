/** Whether a list of preferences (RFC 9110 §12.5) has one of these without the weight 0; no list: everything. */
export function accepts(field: string | undefined, names: readonly string[]): boolean {
  if (field === undefined || field.trim() === '') return true;
  return field.split(',').some((item) => {
    const [name = '', ...parameters] = item.split(';').map((part) => part.trim().toLowerCase());
    return names.includes(name) && !parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter));
  });
}
