/**
 * The nodes that `Forwarded` names by `for` (RFC 7239 §4), in its order; `unknown` where an element
 * names none, or two. One pass over the field, whatever it holds.
 */
export function forwardedNodes(field: string): readonly string[] {
  return splitOutsideQuotes(field, ',')
    .filter((element) => element.trim() !== '')
    .map(nodeOf);
}

function nodeOf(element: string): string {
  const nodes = splitOutsideQuotes(element, ';').flatMap((pair) => {
    const equals = pair.indexOf('=');
    const isFor = equals !== -1 && pair.slice(0, equals).trim().toLowerCase() === 'for';
    return isFor ? [unquoted(pair.slice(equals + 1).trim())] : [];
  });
  const [node] = nodes;
  return nodes.length === 1 && node !== undefined && node !== '' ? node : 'unknown';
}

/** The content of a quoted string; addresses escape nothing, so a backslash names nobody. */
function unquoted(value: string): string {
  if (!value.includes('"')) return value;
  const content = value.slice(1, -1);
  const whole = value.length > 1 && value.startsWith('"') && value.endsWith('"');
  return whole && !content.includes('"') && !content.includes('\\') ? content : '';
}

/** A separator in a quoted string, which may lack its end, separates nothing (RFC 9110 §5.6.4). */
function splitOutsideQuotes(text: string, separator: ',' | ';'): readonly string[] {
  const parts: string[] = [];
  let quoted = false;
  let start = 0;
  for (let index = 0; index < text.length; index++) {
    const character = text[index];
    if (character === '"') quoted = !quoted;
    else if (quoted && character === '\\') index++;
    else if (!quoted && character === separator) {
      parts.push(text.slice(start, index));
      start = index + 1;
    }
  }
  return [...parts, text.slice(start)];
}
