import { nearestName } from './nearest-name.ts';

/** Checks the value of an option; `name` is what the TypeError calls it. */
export type Check = (name: string, value: unknown) => void;

/** A check for each member of an object; one that is missing is a type error. */
export type Checks<Options> = { readonly [Name in keyof Required<Options>]: Check };

/**
 * Checks the options of a function, because programs without types call it, too, and values from
 * the environment are strings: a wrong option must not weaken a check. Throws TypeError.
 */
export function checkOptions<Options>(
  whose: string,
  options: unknown,
  checks: Checks<Options>,
): void {
  try {
    checkMembers(options, checks);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new TypeError(`${whose}: ${error.message}`);
  }
}

/** The same, without the name of the function. Throws TypeError. */
export function checkMembers<Options>(options: unknown, checks: Checks<Options>): void {
  must('an object', isMembers)('the options', options);
  members(checks)('', options);
}

/** A check of one thing; a wrong string is quoted only where it cannot be a secret. */
export function must(be: string, is: (value: unknown) => boolean, quoted = false): Check {
  return (name, value) => {
    if (!is(value)) throw new TypeError(`${name} must be ${be}, not ${described(value, quoted)}`);
  };
}

/** A string with at least one character. */
export const text = must(
  'a non-empty string',
  (value) => typeof value === 'string' && value !== '',
);

/** A whole number; NaN, which makes every comparison false, is none. */
export const count = (min: number, what = 'a whole number', max = Number.MAX_SAFE_INTEGER) =>
  must(
    `${what}, ${min} or more`,
    (value) => Number.isSafeInteger(value) && Number(value) >= min && Number(value) <= max,
  );

/** A whole number of seconds. */
export const seconds = (min = 0) => count(min, 'a whole number of seconds');

/** True or false. */
export const flag = must('true or false', (value) => typeof value === 'boolean');

/** Any function. */
export const callback = must('a function', (value) => typeof value === 'function');

/**
 * An absolute http or https URL without user and fragment. Unless allowed, it has no query either,
 * and plain HTTP leads to this machine only.
 */
export function urlCheck({
  query = false,
  plainHttp = false,
}: {
  readonly query?: boolean;
  readonly plainHttp?: boolean;
} = {}): Check {
  const scheme = plainHttp
    ? 'an http or https URL'
    : 'an https URL, or an http URL of this machine';
  return must(
    `${scheme}, without ${query ? 'fragment' : 'query and fragment'}`,
    (value) => {
      if (typeof value !== 'string' || !URL.canParse(value)) return false;
      if ((query ? /#/ : /[?#]/).test(value)) return false;
      const { protocol, hostname, username, password } = new URL(value);
      const anyHost = plainHttp || /^(localhost|\[::1\]|127(\.\d+){3})$/.test(hostname);
      return (
        (protocol === 'https:' || (protocol === 'http:' && anyHost)) && username + password === ''
      );
    },
    true,
  );
}

/** One of these strings. */
export const oneOf = (known: readonly string[]) =>
  must(`one of ${known.join(', ')}`, (value) => known.includes(value as string), true);

/** A list of such items. */
export function listOf(check: Check, min = 1): Check {
  const list = must(
    min === 0 ? 'a list' : 'a non-empty list',
    (value) => Array.isArray(value) && value.length >= min,
  );
  return (name, value) => {
    list(name, value);
    for (const [index, item] of (value as readonly unknown[]).entries())
      check(`${name}[${index}]`, item);
  };
}

/** The same check, of an option that may be absent. */
export const optional =
  (check: Check): Check =>
  (name, value) => {
    if (value !== undefined) check(name, value);
  };

/** An object with these members and no others. */
export function members<Options>(checks: Checks<Options>): Check {
  const known = Object.keys(checks);
  return (name, value) => {
    const path = (member: string) => (name === '' ? member : `${name}.${member}`);
    must('an object', isMembers)(name, value);
    const given = value as Readonly<Record<string, unknown>>;
    for (const member of Object.keys(given)) {
      if (known.includes(member)) continue;
      const nearest = nearestName(member, known);
      const meant = nearest === undefined ? '' : `; is ${path(nearest)} meant?`;
      throw new TypeError(`unknown option ${path(member)}${meant}`);
    }
    for (const [member, check] of Object.entries<Check>(checks)) check(path(member), given[member]);
  };
}

/** Whether this is an object with named members. */
export function isMembers(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function described(value: unknown, quoted: boolean): string {
  if (value === undefined) return 'undefined: is the variable set?';
  if (value === null || typeof value === 'number') return String(value);
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (typeof value !== 'string')
    return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
  if (value === '') return 'an empty string';
  return quoted && !value.includes('@') ? JSON.stringify(value) : 'a string';
}
