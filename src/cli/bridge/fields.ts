/** Header fields as they go over the wire: name, value, name, value. */
export type RawFields = readonly string[];

/** Fields of one connection alone (RFC 9110 §7.6.1), and those by which messages are framed. */
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

/** The fields that go on to the other side, without those that `Connection` names, and `more`. */
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

/** Those fields from which a holder learns. */
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
