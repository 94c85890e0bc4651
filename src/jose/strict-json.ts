import { JoseFault } from './jose-fault.ts';

/** Levels of nesting; a proof has three. */
const maxDepth = 8;

/**
 * Parses a JSON object as RFC 8725 §2.4 and RFC 7515 §4 want it: no member twice at any level, bounded depth.
 * `JSON.parse` keeps the last of two members, another parser the first: a difference to attack. Throws JoseFault.
 */
export function parseStrictJson(text: string): Record<string, unknown> {
  checkMembers(text);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new JoseFault('json_invalid');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new JoseFault('not_an_object');
  return value as Record<string, unknown>;
}

// Runs before JSON.parse, so that depth is bounded there too; text that is no JSON at all is left to JSON.parse.
function checkMembers(text: string): void {
  const open: (Set<string> | undefined)[] = [];
  for (let index = 0; index < text.length; index++) {
    const character = text[index];
    if (character === '{' || character === '[') {
      if (open.push(character === '{' ? new Set() : undefined) > maxDepth) throw new JoseFault('json_invalid');
    } else if (character === '}' || character === ']') {
      open.pop();
    } else if (character === '"') {
      const end = endOfString(text, index);
      const members = open.at(-1);
      if (members !== undefined && isMemberName(text, end)) addMember(members, text.slice(index, end + 1));
      index = end;
    }
  }
}

function endOfString(text: string, start: number): number {
  for (let index = start + 1; index < text.length; index++) {
    if (text[index] === '\\') index++;
    else if (text[index] === '"') return index;
  }
  throw new JoseFault('json_invalid');
}

function isMemberName(text: string, end: number): boolean {
  let next = end + 1;
  while (' \t\n\r'.includes(text[next] ?? 'x')) next++;
  return text[next] === ':';
}

function addMember(members: Set<string>, quoted: string): void {
  let name = quoted.slice(1, -1);
  if (name.includes('\\')) {
    try {
      name = JSON.parse(quoted) as string;
    } catch {
      throw new JoseFault('json_invalid');
    }
  }
  if (members.has(name)) throw new JoseFault('json_invalid');
  members.add(name);
}
