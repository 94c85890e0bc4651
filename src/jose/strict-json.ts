import { JoseError } from './jose-error.ts';

/** Default maximum levels of nesting; a proof has three. */
const usualDepth = 8;

/**
 * Parses a JSON object without duplicate members (RFC 7515 §4, RFC 8725 §2.4), of bounded depth,
 * without lone surrogates (RFC 8259 §8.2) and U+0000. Parsers differ in which duplicate they keep,
 * which attackers exploit. Throws JoseError.
 */
export function parseStrictJson(text: string, maxDepth = usualDepth): Record<string, unknown> {
  checkMembers(text, maxDepth);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new JoseError('json_invalid');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new JoseError('not_an_object');
  // Both need an escape: UTF-8 has no surrogates, and JSON no raw control characters.
  if (text.includes('\\u') && !isStorableText(value)) throw new JoseError('json_text_invalid');
  return value as Record<string, unknown>;
}

/**
 * Whether no string in a JSON value, member names included, has a lone surrogate or U+0000.
 * PostgreSQL stores neither, and one such value would fail a whole batch of statements.
 */
export function isStorableText(value: unknown): boolean {
  if (typeof value === 'string') return value.isWellFormed() && !value.includes('\0');
  if (typeof value !== 'object' || value === null) return true;
  return Object.entries(value).every(
    ([name, member]) => isStorableText(name) && isStorableText(member),
  );
}

// Comparing UTF-16 code units is faster than comparing strings.
const [quote, colon, openArray, closeArray, openObject, closeObject] = [
  0x22, 0x3a, 0x5b, 0x5d, 0x7b, 0x7d,
];

// Runs first, so that it also bounds the depth for JSON.parse, which refuses all that is not JSON.
function checkMembers(text: string, maxDepth: number): void {
  const open: (Set<string> | undefined)[] = [];
  const endOfString = text.includes('\\') ? endOfEscaped : endOfPlain;
  for (let index = 0; index < text.length; index++) {
    const character = text.charCodeAt(index);
    if (character === quote) {
      const end = endOfString(text, index);
      const members = open.at(-1);
      if (members !== undefined && isMemberName(text, end))
        addMember(members, text.slice(index, end + 1));
      index = end;
    } else if (character === openObject || character === openArray) {
      if (open.push(character === openObject ? new Set() : undefined) > maxDepth)
        throw new JoseError('json_invalid');
    } else if (character === closeObject || character === closeArray) {
      open.pop();
    }
  }
}

function endOfPlain(text: string, start: number): number {
  const end = text.indexOf('"', start + 1);
  if (end === -1) throw new JoseError('json_invalid');
  return end;
}

function endOfEscaped(text: string, start: number): number {
  for (let index = start + 1; index < text.length; index++) {
    if (text[index] === '\\') index++;
    else if (text[index] === '"') return index;
  }
  throw new JoseError('json_invalid');
}

function isMemberName(text: string, end: number): boolean {
  let next = end + 1;
  while (isSpace(text.charCodeAt(next))) next++;
  return text.charCodeAt(next) === colon;
}

/** JSON whitespace (RFC 8259 §2). */
function isSpace(character: number): boolean {
  return character === 0x20 || character === 0x09 || character === 0x0a || character === 0x0d;
}

function addMember(members: Set<string>, quoted: string): void {
  let name = quoted.slice(1, -1);
  if (name.includes('\\')) {
    try {
      name = JSON.parse(quoted) as string;
    } catch {
      throw new JoseError('json_invalid');
    }
  }
  if (members.has(name)) throw new JoseError('json_invalid');
  members.add(name);
}
