/**
 * An HTTP URI, normalized for comparison (RFC 9449 §4.3 item 9, RFC 3986 §6.2.2 and §6.2.3),
 * without query and fragment. Undefined if it is not a plain http(s) URI.
 */
export function comparableHtu(text: string): string | undefined {
  // `URL` would repair white space, backslashes and a missing "//"; such a proof is refused.
  if (!/^https?:\/\/[^\s\\@/?#][^\s\\]*$/i.test(text) || !URL.canParse(text)) return undefined;
  const url = new URL(text);
  if (url.username !== '' || url.password !== '') return undefined;
  return url.origin + normalisePercentEncoding(url.pathname);
}

function normalisePercentEncoding(path: string): string {
  return path.replace(/%[0-9a-f]{2}/gi, (encoded) => {
    const character = String.fromCharCode(Number.parseInt(encoded.slice(1), 16));
    return /[A-Za-z0-9._~-]/.test(character) ? character : encoded.toUpperCase();
  });
}
