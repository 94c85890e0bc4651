import { randomBytes } from 'node:crypto';
import { randomJti, type TestKey, testKey } from './keys.ts';
import { ath } from './pair.ts';
import { type RawAnswer, rawRequest } from './raw-request.ts';
import { basic, type TestServer, type TestServerOptions, testServer } from './server.ts';
import { clientSecret } from './token-endpoint-fixture.ts';

export const apiOrigin = 'https://api.example.com';
export const gatewayToken = randomBytes(32).toString('base64url');

/** The ways in which gateways ask. */
export const gatewayForms = ['forward-auth', 'auth-request', 'ext-authz'] as const;
export type GatewayForm = (typeof gatewayForms)[number];

type Field = readonly [string, string];

/** A question of a gateway; what is left out is valid. */
export interface Question {
  readonly form?: GatewayForm;
  readonly method?: string;
  /** The whole URL at the gateway. */
  readonly url?: string;
  readonly token?: string;
  readonly scheme?: string;
  /** `null`: none. Default: a fresh proof for method, URL and token. */
  readonly dpop?: string | readonly string[] | null;
  /** Takes the place of the query, or of the fields of `ext-authz` for the same. */
  readonly scope?: string;
  readonly assertion?: boolean;
  readonly certificate?: boolean | undefined;
  readonly query?: string;
  /** Fields after all others. */
  readonly fields?: readonly Field[];
  /** Of the request to the listener. */
  readonly body?: string;
  /** Fields of the form that are left out. */
  readonly without?: readonly string[];
}

/** A server with a listener for gateways, a resource server, and a client with tokens. */
export interface GatewayFixture {
  readonly server: TestServer;
  readonly key: TestKey;
  readonly resourceServerId: string;
  /** A token of the client `app`, scope `read`; seconds of the server's clock. */
  token(by?: TestKey, clientId?: string): Promise<string>;
  proof(token: string, htu?: string, htm?: string, claims?: object): Promise<string>;
  ask(question?: Question): Promise<RawAnswer>;
  /** Status, and the reason in the log of a refusal or what it would have been. */
  outcome(question?: Question): Promise<string>;
}

/** Opens a fixture; `members` are those of the resource server. */
export async function gatewayFixture(
  { env = {}, ...options }: TestServerOptions = {},
  members: object = {},
): Promise<GatewayFixture> {
  const server = await testServer({
    ...options,
    env: { GATEWAY_PORT: '0', GATEWAY_TOKEN: gatewayToken, ...env },
  });
  const key = await testKey();
  const { body } = await server.admin('POST', 'resource-servers', {
    audience: apiOrigin,
    scopes: ['read', 'write'],
    cnf_methods_supported: ['jkt', 'x5t#S256'],
    origins: [apiOrigin],
    ...members,
  });
  const resourceServerId = body.id as string;
  for (const client_id of ['app', 'other'])
    await server.admin('POST', 'clients', {
      client_id,
      client_secret: clientSecret,
      scope: 'read',
    });
  const iat = () => Math.floor(server.clock.now / 1000);
  const token: GatewayFixture['token'] = async (by = key, clientId = 'app') => {
    const answer = await server.post(
      '/token',
      { grant_type: 'client_credentials', resource: apiOrigin },
      {
        authorization: basic(clientId, clientSecret),
        dpop: await by.proof({ iat: iat() }),
      },
    );
    return answer.body.access_token as string;
  };
  const proof: GatewayFixture['proof'] = async (
    of,
    htu = `${apiOrigin}/things`,
    htm = 'GET',
    claims = {},
  ) => key.proof({ htm, htu, ath: ath(of), iat: iat(), jti: randomJti(), ...claims });
  const ask: GatewayFixture['ask'] = async (question = {}) => {
    const { form = 'auth-request', method = 'GET', url = `${apiOrigin}/things?x=1` } = question;
    const { scheme = 'DPoP', fields = [], without = [], dpop } = question;
    const shown = question.token ?? (await token());
    const proofs =
      dpop === null ? [] : [dpop ?? (await proof(shown, url.split('?')[0], method))].flat();
    const query = new URLSearchParams({ audience: apiOrigin });
    if (question.scope !== undefined) query.set('scope', question.scope);
    if (question.assertion === true) query.set('assertion', 'true');
    if (question.certificate === true) query.set('certificate', 'true');
    const of = formOf(form, { method, url, id: resourceServerId, question, query: `${query}` });
    return rawRequest(
      `${server.gatewayUrl}${of.path}`,
      of.method,
      [
        ['Holdfast-Gateway-Token', gatewayToken] as const,
        ...of.fields,
        ...(shown === '' ? [] : [['Authorization', `${scheme} ${shown}`] as const]),
        ...proofs.map((value) => ['DPoP', value] as const),
      ]
        .filter(([name]) => !without.includes(name))
        .concat(fields)
        .concat(question.body === undefined ? [] : [['Content-Length', `${question.body.length}`]]),
      question.body,
    );
  };
  return {
    server,
    key,
    resourceServerId,
    token,
    proof,
    ask,
    async outcome(question) {
      const { status, headers } = await ask(question);
      if (status === 200)
        return `200 ${String(headers['holdfast-would-refuse'] ?? headers['holdfast-presenter'])}`;
      return `${status} ${String(server.logs.findLast(({ reason }) => reason !== undefined)?.['reason'])}`;
    },
  };
}

interface Asked {
  readonly method: string;
  readonly url: string;
  readonly id: string;
  readonly query: string;
  readonly question: Question;
}

/** How a form says it. */
function formOf(form: GatewayForm, { method, url, id, query, question }: Asked) {
  const [, scheme = '', host = '', target = ''] = /^(\w+):\/\/([^/]+)(.*)$/.exec(url) ?? [];
  const path = `/${form}?${question.query ?? query}`;
  switch (form) {
    case 'forward-auth':
      return {
        method: 'GET',
        path,
        fields: [
          ['X-Forwarded-Method', method],
          ['X-Forwarded-Proto', scheme],
          ['X-Forwarded-Host', host],
          ['X-Forwarded-Uri', target],
        ] as Field[],
      };
    case 'auth-request':
      return {
        method: 'GET',
        path,
        fields: [
          ['X-Original-Method', method],
          ['X-Original-URL', url],
        ] as Field[],
      };
    case 'ext-authz':
      return {
        method,
        path: `/ext-authz/${id}${target}`,
        fields: [
          ['Host', host],
          ...(question.scope === undefined
            ? []
            : [['Holdfast-Required-Scope', question.scope] as const]),
          ...(question.assertion === true ? [['Holdfast-Want-Assertion', 'true'] as const] : []),
          ...(question.certificate === true
            ? [['Holdfast-Read-Certificate', 'true'] as const]
            : []),
        ] as Field[],
      };
  }
}
