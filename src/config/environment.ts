import type { SecretVariable, VariableName } from './variable-names.ts';

/** Reads variables and collects all faults, so that an operator can fix them together. */
export interface EnvironmentReader {
  readonly faults: string[];
  text(name: VariableName): string | undefined;
  /** The value of a secret, or of its `NAME_FILE` without the final newline. */
  secret(name: SecretVariable): string | undefined;
  matching(name: VariableName, pattern: RegExp, form: string): string | undefined;
  /** Like `matching`, for a value that `secret` read. */
  matchingSecret(name: SecretVariable, pattern: RegExp, form: string): string | undefined;
  integer(name: VariableName, fallback: number, min: number, max: number): number;
  /** A port from 0 (the system chooses) to 65535. */
  port(name: VariableName, fallback: number): number;
  oneOf<const T extends string>(name: VariableName, values: readonly T[], fallback: NoInfer<T>): T;
  /** `true` or `false`. */
  flag(name: VariableName, fallback: boolean): boolean;
  list<const T extends string>(
    name: VariableName,
    values: readonly T[],
    fallback: readonly T[],
  ): readonly T[];
}

/** Maximum bytes of a secret's file, far more than any secret has. */
const longestSecret = 65_536;

/**
 * A reader over `env`; an empty variable counts as unset. Faults never repeat a value, because it
 * may be a secret.
 */
export function environmentReader(
  env: Readonly<Record<string, string | undefined>>,
  readFile: (path: string) => string,
): EnvironmentReader {
  const faults: string[] = [];
  const say = (fault: string) => {
    if (!faults.includes(fault)) faults.push(fault);
  };
  const { text, secret } = valueReader(env, readFile, say);
  const match = (name: string, value: string | undefined, pattern: RegExp, form: string) => {
    if (value !== undefined && !pattern.test(value)) say(`${name} must be ${form}`);
    return value;
  };
  const integer: EnvironmentReader['integer'] = (name, fallback, min, max) => {
    const value = text(name);
    if (value === undefined) return fallback;
    const number = /^\d{1,9}$/.test(value) ? Number(value) : Number.NaN;
    if (!(number >= min && number <= max))
      say(`${name} must be a whole number from ${min} to ${max}`);
    return number;
  };
  const oneOf: EnvironmentReader['oneOf'] = (name, values, fallback) => {
    const value = text(name);
    if (value === undefined) return fallback;
    const found = values.find((known) => known === value);
    if (found === undefined) say(`${name} must be one of ${values.join(', ')}`);
    return found ?? fallback;
  };
  return {
    faults,
    text,
    secret,
    matching: (name, pattern, form) => match(name, text(name), pattern, form),
    matchingSecret: (name, pattern, form) => match(name, secret(name), pattern, form),
    integer,
    port(name, fallback) {
      if (!/^(tcp|udp|sctp):\/\//.test(text(name) ?? '')) return integer(name, fallback, 0, 65_535);
      // Kubernetes sets these variables in every pod, and a service may be named `admin` or `tls`.
      say(
        `${name} must be a port, and has the form of a Kubernetes service link: set ${name} in the pod, or enableServiceLinks: false`,
      );
      return fallback;
    },
    oneOf,
    flag: (name, fallback) => oneOf(name, ['true', 'false'], `${fallback}`) === 'true',
    list(name, values, fallback) {
      const value = text(name);
      if (value === undefined) return fallback;
      const found = value
        .split(/[ ,]+/)
        .filter((item) => item !== '')
        .map((item) => values.find((known) => known === item));
      if (found.length === 0 || found.includes(undefined))
        say(`${name} must be a list of ${values.join(', ')}`);
      return [...new Set(found.filter((item) => item !== undefined))];
    },
  };
}

/** Reads unparsed values from variables and from the files that variables name. */
function valueReader(
  env: Readonly<Record<string, string | undefined>>,
  readFile: (path: string) => string,
  say: (fault: string) => void,
): Pick<EnvironmentReader, 'text' | 'secret'> {
  const clean = (value: string, name: string) => {
    const fault = impurity(value);
    if (fault !== undefined) say(`${name} must not ${fault}`);
    return fault === undefined ? value : undefined;
  };
  const text = (name: VariableName) => {
    const value = env[name];
    return value === undefined || value === '' ? undefined : clean(value, name);
  };
  const fromFile = (name: `${SecretVariable}_FILE`, path: string) => {
    let value: string;
    try {
      value = readFile(path).replace(/\r?\n$/, '');
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? ` (${String(error.code)})` : '';
      say(`${name} must name a file that the server's user can read${code}`);
      return undefined;
    }
    if (value !== '' && value.length <= longestSecret) return clean(value, name);
    say(`${name} must name a file with a value, of ${longestSecret} bytes at most`);
    return undefined;
  };
  return {
    text,
    secret(name) {
      const [value, path] = [text(name), text(`${name}_FILE`)];
      if (path === undefined) return value;
      if (value !== undefined) say(`${name} and ${name}_FILE must not be set both`);
      return fromFile(`${name}_FILE`, path);
    },
  };
}

/** Why a value is invalid for any variable; files with Windows line ends cause this. */
function impurity(value: string): string | undefined {
  if (/\p{Cc}/u.test(value)) return 'contain a control character, such as a line end';
  return value.trim() === value ? undefined : 'begin or end with a blank';
}
