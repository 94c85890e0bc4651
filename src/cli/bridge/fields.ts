/** Header fields as on the wire: name, value, name, value. */
export type RawFields = readonly string[];

/** Hop-by-hop fields (RFC 9110 §7.6.1), and those that frame messages. */
const ofConnection: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'expect',
  'host',
  'http2-settings',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** The end-to-end fields, without those that `Connection` or `more` names. */
export function endToEnd(fields: RawFields, more: readonly string[] = []): string[] {
  const pairs = pairsOf(fields);
  const named = pairs
    .filter(([name]) => name === 'connection')
    .flatMap(([, , value]) =>
      value
        .toLowerCase()
        .split(',')
        .map((option) => option.trim()),
    );
  const dropped = new Set([...ofConnection, ...named, ...more]);
  return pairs.flatMap(([name, written, value]) => (dropped.has(name) ? [] : [written, value]));
}

/** The fields that tell a holder how to retry. */
export function tellingFields(fields: RawFields): Headers {
  const headers = new Headers();
  for (const [name, , value] of pairsOf(fields))
    if (/^(date|age|dpop-nonce|www-authenticate)$/.test(name)) headers.append(name, value);
  return headers;
}

function pairsOf(fields: RawFields): (readonly [name: string, written: string, value: string])[] {
  return fields.flatMap((written, index) =>
    index % 2 === 0 ? [[written.toLowerCase(), written, fields[index + 1] ?? ''] as const] : [],
  );
}
