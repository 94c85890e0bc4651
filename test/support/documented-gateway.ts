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
  /** Set on the client's request before the question. */
  readonly before: Readonly<Record<string, string>>;
  /** Of the client's fields, for the question. */
  readonly handedOn: readonly string[];
  /** Set on the question, over the client's own. */
  readonly added: Readonly<Record<string, string>>;
  /** Whole names, or prefixes with `*`, that go from the answer to the API. */
  readonly toApi: readonly string[];
  /** Whole names that go from a refusal to the client; Traefik: all. */
  readonly toClient: readonly string[] | 'all';
  /** Removed from what the API gets. */
  readonly after: readonly string[];
}

type Fields = (readonly [string, string])[];

const fieldsOf = ({ rawHeaders }: IncomingMessage): Fields =>
  rawHeaders.flatMap((name, index) =>
    index % 2 === 0 ? [[name.toLowerCase(), rawHeaders[index + 1] ?? ''] as const] : [],
  );
const without = (fields: Fields, names: readonly string[]) =>
  fields.filter(([name]) => !names.includes(name));
const only = (fields: Fields, names: readonly string[]) =>
  fields.filter(([name]) =>
    names.some((known) =>
      known.endsWith('*') ? name.startsWith(known.slice(0, -1)) : name === known,
    ),
  );
const set = (fields: Fields, values: Readonly<Record<string, string>>): Fields => [
  ...without(fields, Object.keys(values)),
  ...Object.entries(values),
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
  const fields = set(
    without(fieldsOf(incoming), config.program === 'envoy' ? config.after : []),
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
  const given = only(said, config.toApi);
  // Traefik deletes each name of the list; Envoy only puts the answer in place of the client's.
  const replaced = config.program === 'traefik' ? config.toApi : given.map(([name]) => name);
  const onward = without(
    [...without(fields, replaced), ...given],
    config.after.filter((name) => config.program === 'traefik' || !name.startsWith('holdfast-')),
  );
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
