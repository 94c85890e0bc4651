/** Reads single variables and collects every fault, so that an operator mends all of them in one go. */
export interface EnvironmentReader {
  readonly faults: string[];
  text(name: string): string | undefined;
  matching(name: string, pattern: RegExp, form: string): string | undefined;
  integer(name: string, fallback: number, min: number, max: number): number;
  oneOf<const T extends string>(name: string, values: readonly T[], fallback: NoInfer<T>): T;
  list<const T extends string>(
    name: string,
    values: readonly T[],
    fallback: readonly T[],
  ): readonly T[];
}

/** A reader over `env`; an empty variable counts as not set. No value is ever repeated in a fault, for it may be a secret. */
export function environmentReader(
  env: Readonly<Record<string, string | undefined>>,
): EnvironmentReader {
  const faults: string[] = [];
  const text = (name: string) => {
    const value = env[name];
    return value === undefined || value === '' ? undefined : value;
  };
  return {
    faults,
    text,
    matching(name, pattern, form) {
      const value = text(name);
      if (value !== undefined && !pattern.test(value)) faults.push(`${name} must be ${form}`);
      return value;
    },
    integer(name, fallback, min, max) {
      const value = text(name);
      if (value === undefined) return fallback;
      const number = /^\d{1,9}$/.test(value) ? Number(value) : Number.NaN;
      if (!(number >= min && number <= max))
        faults.push(`${name} must be a whole number from ${min} to ${max}`);
      return number;
    },
    oneOf(name, values, fallback) {
      const value = text(name);
      if (value === undefined) return fallback;
      const found = values.find((known) => known === value);
      if (found === undefined) faults.push(`${name} must be one of ${values.join(', ')}`);
      return found ?? fallback;
    },
    list(name, values, fallback) {
      const value = text(name);
      if (value === undefined) return fallback;
      const found = value
        .split(/[\s,]+/)
        .filter((item) => item !== '')
        .map((item) => values.find((known) => known === item));
      if (found.length === 0 || found.includes(undefined))
        faults.push(`${name} must be a list of ${values.join(', ')}`);
      return [...new Set(found.filter((item) => item !== undefined))];
    },
  };
}
