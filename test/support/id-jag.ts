import { randomJti, type TestKey, testKey } from './keys.ts';
import { openPair, type Pair, pairSecret, seconds, unaware } from './pair.ts';
import { jwtBearerGrant } from './platform.ts';
import { type Answer, basic, issuer, type TestServerOptions } from './server.ts';

export const provider = 'https://idp.example.com';

/** App and backend at a server that trusts an identity provider. */
export interface Federation {
  readonly pair: Pair;
  readonly idp: TestKey;
  /** Id of the trusted issuer. */
  readonly id: string;
  /** An identity assertion grant for the app; members given as `undefined` are left out. */
  idJag(claims?: object, header?: object, key?: TestKey): Promise<string>;
  /** An ID token for the app. */
  idToken(claims?: object, header?: object): Promise<string>;
  /** The app shows an assertion with a proof by its key. */
  grant(
    assertion: string,
    form?: object,
    options?: { client?: string; key?: TestKey },
  ): Promise<Answer>;
}

/** `members` are those of the trusted issuer. */
export async function federation(
  options: TestServerOptions = {},
  members: object = {},
): Promise<Federation> {
  const pair = await openPair(options);
  const idp = await testKey();
  const made = await pair.server.admin('POST', 'trusted-issuers', {
    issuer: provider,
    audience: 'app-at-idp',
    purposes: ['id_token', 'id_jag'],
    jwks: { keys: [{ ...idp.jwk, kid: 'idp-1' }] },
    ...members,
  });
  if (made.status !== 201) throw new Error(JSON.stringify(made.body));
  const grant_types = [
    'client_credentials',
    'urn:ietf:params:oauth:grant-type:token-exchange',
    jwtBearerGrant,
  ];
  for (const client of ['app', 'thief'])
    await pair.server.admin('PATCH', `clients/${client}`, { grant_types });
  const signed = (claims: object, header: object, key = idp) =>
    key.sign(
      {
        iss: provider,
        sub: 'alice',
        iat: seconds,
        exp: seconds + 300,
        jti: randomJti(),
        ...claims,
      },
      { kid: 'idp-1', ...header },
    );
  return {
    pair,
    idp,
    id: made.body.id as string,
    idJag: (claims = {}, header = {}, key = idp) =>
      signed(
        { aud: issuer, client_id: 'app', resource: unaware, scope: 'read', ...claims },
        { typ: 'oauth-id-jag+jwt', ...header },
        key,
      ),
    idToken: (claims = {}, header = {}) =>
      signed({ aud: 'app-at-idp', ...claims }, { typ: 'JWT', ...header }),
    grant: async (assertion, form = {}, { client = 'app', key = pair.appKey } = {}) =>
      pair.server.post(
        '/token',
        { grant_type: jwtBearerGrant, assertion, ...form },
        { authorization: basic(client, pairSecret), dpop: await key.proof() },
      ),
  };
}
