// `node documented-gateway.ts CONFIG.json`: does with a request what the documentation of Traefik (ForwardAuth) or Envoy (ext_authz, HTTP
// service) says, by the lists of the page. For programs that Debian has no package of.
import { readFileSync } from 'node:fs';
import { type IncomingMessage, request, type ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import { buffer } from 'node:stream/consumers';

/** What a page says, as far as it concerns fields. Names in lower case. */
export interface DocumentedGateway {
  readonly program: 'traefik' | 'envoy';
  readonly port: number;
  readonly cert: string;
  readonly key: string;
  readonly upstream: string;
  /** Traefik: `address`. Envoy: `uri` and `path_prefix`. */
  readonly ask: string;
  /** Whether fields with `_` in their names are dropped. */
  readonly dropsUnderscores: boolean;
  /** Set on the client's request before the question; empty: removed. */
  readonly before: Readonly<Record<string, string>>;
  /** Of the client's fields, for the question. */
  readonly handedOn: readonly string[];
  /** Set on the question, over the client's own. */
  readonly added: Readonly<Record<string, string>>;
  /** Names that go from the answer to the API: a regular expression. */
  readonly toApi: string;
  /** Whole names that go from a refusal to the client; Traefik: all. */
  readonly toClient: readonly string[] | 'all';
  /** Removed from the client's request before all else. */
  readonly removed: readonly string[];
}

type Fields = (readonly [string, string])[];

/** RFC 9110 §7.6.1: without the fields that `Connection` names, except for an upgrade. */
const endToEnd = (fields: Fields): Fields => {
  const named = fields
    .filter(([name]) => name === 'connection')
    .flatMap(([, value]) => value.toLowerCase().split(/[\s,]+/));
  return without(fields, ['connection', ...named.filter((name) => name !== 'upgrade')]);
};

const fieldsOf = ({ rawHeaders }: IncomingMessage): Fields =>
  rawHeaders.flatMap((name, index) =>
    index % 2 === 0 ? [[name.toLowerCase(), rawHeaders[index + 1] ?? ''] as const] : [],
  );
const without = (fields: Fields, names: readonly string[]) =>
  fields.filter(([name]) => !names.includes(name));
const only = (fields: Fields, names: readonly string[]) =>
  fields.filter(([name]) => names.includes(name));
const set = (fields: Fields, values: Readonly<Record<string, string>>): Fields => [
  ...without(fields, Object.keys(values)),
  ...Object.entries(values).filter(([, value]) => value !== ''),
];

async function send(url: string, method: string, fields: Fields, body?: Buffer) {
  const { hostname, port } = new URL(url);
  // The target as it is: `URL` would mend it.
  const path = url.slice(url.indexOf('/', 'http://'.length));
  const outgoing = request({
    hostname,
    port,
    path,
    method,
    headers: fields.flat(),
    setHost: false,
  });
  const answer = new Promise<IncomingMessage>((resolve, reject) =>
    outgoing.once('response', resolve).once('error', reject),
  );
  outgoing.end(body);
  return answer;
}

/** Traefik asks by GET with `X-Forwarded-*`; Envoy with the original method, and path behind a prefix. */
async function ask(config: DocumentedGateway, incoming: IncomingMessage, fields: Fields) {
  const { method = '', url = '' } = incoming;
  const handedOn = only(fields, config.handedOn);
  const host = fields.find(([name]) => name === 'host')?.[1] ?? '';
  if (config.program === 'envoy')
    return send(`${config.ask}${url}`, method, [
      ['host', host],
      ['content-length', '0'],
      ...set(handedOn, config.added),
    ]);
  const question = set(handedOn, {
    'x-forwarded-method': method,
    'x-forwarded-proto': 'https',
    'x-forwarded-host': host,
    'x-forwarded-uri': url,
    'x-forwarded-for': '127.0.0.1',
  });
  return send(config.ask, 'GET', [['host', new URL(config.ask).host], ...question]);
}

async function answer(config: DocumentedGateway, incoming: IncomingMessage, out: ServerResponse) {
  const body = await buffer(incoming);
  // Both delete what `Connection` names as a request comes in; Envoy also a certificate that a
  // client names, unless `forward_client_cert_details` has it otherwise.
  const received = without(endToEnd(fieldsOf(incoming)), [
    ...(config.program === 'envoy' ? ['x-forwarded-client-cert'] : []),
    ...config.removed,
  ]);
  const fields = set(
    received.filter(([name]) => !config.dropsUnderscores || !name.includes('_')),
    config.before,
  );
  const verdict = await ask(config, incoming, fields);
  const said = fieldsOf(verdict);
  const text = await buffer(verdict);
  if (verdict.statusCode !== 200) {
    const { toClient } = config;
    const shown = toClient === 'all' ? without(said, ['transfer-encoding']) : only(said, toClient);
    out.writeHead(verdict.statusCode ?? 500, shown.flat()).end(text);
    return;
  }
  const isForApi = new RegExp(config.toApi, 'i');
  const given = said.filter(([name]) => isForApi.test(name));
  // Traefik deletes whatever matches; Envoy only puts the answer in place of the client's.
  const replaced = (config.program === 'traefik' ? fields : given)
    .map(([name]) => name)
    .filter((name) => isForApi.test(name));
  const onward = [...without(fields, replaced), ...given];
  const api = await send(
    `http://${config.upstream}${incoming.url}`,
    incoming.method ?? '',
    onward,
    body,
  );
  out.writeHead(api.statusCode ?? 500, fieldsOf(api).flat()).end(await buffer(api));
}

if (import.meta.main) {
  const config = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as DocumentedGateway;
  createServer({ cert: config.cert, key: config.key }, (incoming, out) => {
    // Traefik answers 500 when it cannot ask, Envoy `status_on_error`.
    answer(config, incoming, out).catch(() => out.writeHead(500).end());
  }).listen(config.port, '127.0.0.1');
}
