import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { decodeJwt, decodeProtectedHeader, type JWK } from 'jose';
import { describe, expect, it } from 'vitest';
import { resourceServer } from '../../packages/resource-server/src/resource-server.ts';
import { readPublicKey } from '../../src/jose/public-key.ts';
import { withoutUnknownMembers } from '../../src/jose/public-members.ts';
import { basic, issuer, testServer } from '../support/server.ts';

const page = readFileSync(join(import.meta.dirname, '../../docs/protocol.md'), 'utf8');
const at = 1_795_000_000;
const [audience, secret] = ['https://api.example.net/calendar', 's'.repeat(32)];

/** Content of the code blocks of this language after the heading `Examples`, in order. */
const blocks = (language: string): readonly string[] =>
  [
    ...page
      .slice(page.indexOf('## Examples'))
      .matchAll(new RegExp(`\`\`\`${language}\\n(.*?)\n\`\`\``, 'gs')),
  ].map(([, content = '']) => content);
const [allKeys = '', ...shown] = blocks('json');
const keys = JSON.parse(allKeys) as Record<'server' | 'app' | 'backend' | 'encryption', JWK>;
const publicJwk = ({ d: _, ...jwk }: JWK) => jwk;
const jwts = blocks('text').filter((text) => text.startsWith('eyJ'));
const [dpop = '', cnfProof = '', token = '', backendDpop = '', symmetricToken = '', pop = ''] =
  jwts;

/** The page's resource server, a minute after the token was issued. */
const verify = () =>
  resourceServer({
    issuer: { issuer, jwksUri: `${issuer}/jwks`, altCnf: true },
    audience,
    clock: () => (at + 60) * 1000,
    decryptionKeys: [keys.encryption],
    fetch: async () => Response.json({ keys: [publicJwk(keys.server)] }),
  });
const request = { method: 'GET', url: `${audience}/events` };

describe('docs/protocol.md', () => {
  it('shows header and claims of each JWT as they are in it', () => {
    expect(jwts).toHaveLength(6);
    const decoded = jwts.map(
      (jwt) => `${JSON.stringify(decodeProtectedHeader(jwt))}\n${JSON.stringify(decodeJwt(jwt))}`,
    );
    for (const text of decoded) expect(shown).toContain(text);
  });

  it('RFC 9449 §4.3: its two proofs are accepted by a server, and the answer has its alt_cnf', async () => {
    const server = await testServer({ clock: { now: at * 1000 } });
    const { admin } = server;
    await admin('POST', 'resource-servers', {
      audience,
      scopes: ['calendar.read'],
      alt_cnf_supported: true,
    });
    await admin('POST', 'clients', {
      client_id: 'cal-app',
      client_secret: secret,
      scope: 'calendar.read',
      alt_cnf_holders: ['cal-backend'],
    });
    await admin('POST', 'clients', {
      client_id: 'cal-backend',
      token_endpoint_auth_method: 'private_key_jwt',
      jwks: { keys: [publicJwk(keys.backend)] },
    });
    const pairing = { requester: 'cal-app', holder: 'cal-backend', mode: 'proof' };
    await admin('POST', 'pairings', { ...pairing, first_party: true });
    const { status, body } = await server.post(
      '/token',
      {
        grant_type: 'client_credentials',
        resource: audience,
        scope: 'calendar.read',
        req_alt_cnf: JSON.stringify([{ proof: cnfProof }]),
      },
      { authorization: basic('cal-app', secret), dpop },
    );
    await server.stop();
    const { cnf, alt_cnf } = decodeJwt(token);
    expect([status, body.token_type, body.alt_cnf]).toEqual([200, 'DPoP', alt_cnf]);
    expect(decodeJwt(body.access_token)).toMatchObject({ cnf, alt_cnf, exp: at + 300 });
    expect(page).toContain(`\`\`\`json\n${JSON.stringify(alt_cnf)}\n\`\`\``);
  });

  it('its tokens are accepted with the proofs beside them: the backend by DPoP, the app by PoP', async () => {
    const byBackend = { authorization: `DPoP ${token}`, dpop: backendDpop };
    expect(await verify()({ ...request, headers: byBackend })).toMatchObject({
      presenter: 'cal-backend',
      thumbprint: readPublicKey(withoutUnknownMembers(publicJwk(keys.backend))).jkt,
    });
    const bySymmetricKey = { authorization: `PoP ${symmetricToken}`, pop };
    expect(await verify()({ ...request, headers: bySymmetricKey })).toMatchObject({
      presenter: 'cal-app',
      method: 'jwe',
    });
  });
});
