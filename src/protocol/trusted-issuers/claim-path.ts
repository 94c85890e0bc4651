/** The names that lead to a claim, outermost first. */
export type ClaimPath = readonly string[];

/** A name in a quoted path, bare or in quotation marks. */
const segment = /"((?:[^"\\]|\\["\\])*)"|([A-Za-z0-9_:-]+)/y;

/**
 * Reads a JSON Pointer (RFC 6901), such as `/kubernetes.io/namespace`, or a quoted path, such as
 * `"kubernetes.io".namespace`; undefined if it is neither.
 */
export function readClaimPath(text: string): ClaimPath | undefined {
  if (!text.startsWith('/')) return readQuotedPath(text);
  if (/~(?![01])/.test(text)) return undefined;
  const names = text.slice(1).split('/');
  return names.map((name) => name.replaceAll('~1', '/').replaceAll('~0', '~'));
}

function readQuotedPath(text: string): ClaimPath | undefined {
  const path: string[] = [];
  for (let at = 0; ; at++) {
    segment.lastIndex = at;
    const [whole, quoted, bare] = segment.exec(text) ?? [];
    if (whole === undefined) return undefined;
    path.push(bare ?? (quoted ?? '').replace(/\\(.)/g, '$1'));
    at += whole.length;
    if (at === text.length) return path;
    if (text[at] !== '.') return undefined;
  }
}

/** The value at a path, or undefined; inherited properties are ignored. */
export function claimAt(claims: unknown, path: ClaimPath): unknown {
  let value = claims;
  for (const name of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name))
      return undefined;
    // A list has only items (RFC 6901 §4), no length.
    if (Array.isArray(value) && !/^(?:0|[1-9]\d*)$/.test(name)) return undefined;
    value = (value as Readonly<Record<string, unknown>>)[name];
  }
  return value;
}
