import { splitOutsideQuotes } from '../../x509/quoted-strings.ts';

/**
 * The nodes in the `for` parameters of `Forwarded` (RFC 7239 §4), in order; `unknown` if an element
 * has none or two. It makes one pass over any field.
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

/** The content of a quoted string; addresses contain no escapes, so a backslash is invalid. */
function unquoted(value: string): string {
  if (!value.includes('"')) return value;
  const content = value.slice(1, -1);
  const whole = value.length > 1 && value.startsWith('"') && value.endsWith('"');
  return whole && !content.includes('"') && !content.includes('\\') ? content : '';
}
