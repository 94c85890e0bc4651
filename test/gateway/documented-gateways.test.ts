import { join } from 'node:path';
import { afterAll, beforeAll, describe } from 'vitest';
import type { DocumentedGateway } from '../support/documented-gateway.ts';
import { adapted, blocksOf } from '../support/front-door.ts';
import { gatewayToken } from '../support/gateway.ts';
import {
  type GatewayPlace,
  type GatewayProgram,
  openGatewayProgram,
} from '../support/gateway-program.ts';
import { gatewayProgramRules, leftOutRules } from '../support/gateway-program-rules.ts';

const program = join(import.meta.dirname, '../support/documented-gateway.ts');

/** The names of a list in one line of a page. */
const listed = (block: string, name: string) =>
  (new RegExp(`${name}: \\[([^\\]]+)\\]`).exec(block)?.[1] ?? '')
    .split(',')
    .map((item) => item.trim().toLowerCase());
const all = (text: string, pattern: RegExp) =>
  [...text.matchAll(pattern)].map(([, name = '']) => name.toLowerCase());
const between = (text: string, from: string, to: string) => {
  const start = text.indexOf(from);
  const end = text.indexOf(to, start);
  if (start < 0) throw new Error(`The page has no ${from}`);
  return text.slice(start, end < 0 ? undefined : end);
};

const common = ({ port, upstream, own }: GatewayPlace) => ({
  port,
  cert: own.pem,
  key: own.keyPem,
  upstream,
});

function started(place: GatewayPlace, config: DocumentedGateway): readonly [string, ...string[]] {
  return [process.execPath, program, place.file('gateway.json', JSON.stringify(config))];
}

function traefik(place: GatewayPlace): readonly [string, ...string[]] {
  const block = adapted(blocksOf('traefik.md', 'yaml', 'gateways')[0] ?? '', [
    ['127.0.0.1:8082', place.holdfast],
    ['GATEWAY_TOKEN', gatewayToken],
    ['trustForwardHeader: false', 'trustForwardHeader: false'],
  ]);
  return started(place, {
    program: 'traefik',
    ...common(place),
    ask: /address: (\S+)/.exec(block)?.[1] ?? '',
    dropsUnderscores: false,
    before: Object.fromEntries(
      [
        ...between(block, 'customRequestHeaders', 'forwardAuth').matchAll(/^ +([\w-]+): (\S+)$/gm),
      ].map(([, name = '', value = '']) => [name.toLowerCase(), value.replaceAll('"', '')]),
    ),
    handedOn: listed(block, 'authRequestHeaders'),
    added: {},
    toApi: /authResponseHeadersRegex: '\(\?i\)([^']+)'/.exec(block)?.[1] ?? '^$',
    toClient: 'all',
    removed: [],
  });
}

/** Lines of Envoy's page that are for certificates alone. */
const certificateField = '          - exact: x-forwarded-client-cert\n';
const readsCertificate = '            - { key: holdfast-read-certificate, value: "true" }\n';

function envoy(
  place: GatewayPlace,
  leftOut: readonly string[] = [],
): readonly [string, ...string[]] {
  const [filter = '', mutation = ''] = blocksOf('envoy.md', 'yaml', 'gateways');
  const block = adapted(filter, [
    ...leftOut.map((text) => [text, ''] as const),
    ['127.0.0.1:8082', place.holdfast],
    ['GATEWAY_TOKEN', gatewayToken],
    ['RESOURCE_SERVER_ID', place.resourceServerId],
    ['failure_mode_allow: false', 'failure_mode_allow: false'],
  ]);
  const uri = /uri: ([^,\s]+), cluster/.exec(block)?.[1] ?? '';
  const prefix = /path_prefix: (\S+)/.exec(block)?.[1] ?? '';
  const added = [...block.matchAll(/\{ key: ([\w-]+), value: "?([\w-]+)"? \}/g)];
  return started(place, {
    program: 'envoy',
    ...common(place),
    ask: `${uri}${prefix}`,
    dropsUnderscores: /headers_with_underscores_action: DROP_HEADER/.test(mutation),
    before: {},
    // Host, Method, Path, Content-Length and Authorization go along without being named.
    handedOn: [
      'authorization',
      ...all(between(block, 'allowed_headers', 'http_service'), /exact: ([\w-]+)/g),
    ],
    added: Object.fromEntries(added.map(([, name = '', value = '']) => [name, value])),
    toApi: all(
      between(block, 'allowed_upstream_headers', 'allowed_client_headers'),
      /prefix: ([\w-]+)/g,
    )
      .map((name) => `^${name}`)
      .join('|'),
    toClient: all(between(block, 'allowed_client_headers', 'router'), /exact: ([\w-]+)/g),
    removed: all(mutation, /remove: ([\w-]+)/g),
  });
}

describe.each([
  { name: 'Traefik', command: traefik, certificateHeader: 'rfc9440', leftOut: [] },
  {
    name: 'Envoy',
    command: envoy,
    certificateHeader: 'envoy',
    leftOut: [[certificateField], [readsCertificate], [certificateField, readsCertificate]],
  },
])(
  'what the documentation of $name says that it does, with the lines of its page',
  { timeout: 30_000 },
  ({ command, certificateHeader, leftOut }) => {
    const env = { DPOP_NONCE: 'required', CLIENT_CERTIFICATE_HEADER: certificateHeader };
    let door: GatewayProgram;
    beforeAll(async () => {
      door = await openGatewayProgram({ command: (place) => command(place), env });
    }, 30_000);
    afterAll(async () => door.close());

    leftOutRules(
      leftOut.map((lines) => ({ name: lines.join(' and ').trim(), leftOut: lines })),
      async (lines) => openGatewayProgram({ command: (place) => command(place, lines), env }),
    );
    gatewayProgramRules(() => door);
  },
);
