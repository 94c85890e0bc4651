/**
 * The comparable form of an HTTP URI: scheme and host in lower case, default port and dot segments gone, percent-encoding normalised,
 * query and fragment ignored (RFC 9449 §4.3 item 9, RFC 3986 §6.2.2 and §6.2.3). Undefined for anything that is not a plain http(s) URI.
 */
export function comparableHtu(text: string): string | undefined {
  // URL would repair white space, back-slashes and a missing "//": a proof that needs repair was not made for this server.
  if (!/^https?:\/\/[^\s\\@/?#][^\s\\]*$/i.test(text) || !URL.canParse(text)) return undefined;
  const url = new URL(text);
  if (url.username !== '' || url.password !== '') return undefined;
  return url.origin + normalisePercentEncoding(url.pathname);
}

function normalisePercentEncoding(path: string): string {
  return path.replace(/%[0-9a-f]{2}/gi, (octet) => {
    const character = String.fromCharCode(Number.parseInt(octet.slice(1), 16));
    return /[A-Za-z0-9._~-]/.test(character) ? character : octet.toUpperCase();
  });
}
