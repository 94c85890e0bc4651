import { expect, it } from 'vitest';
import { adminToken, basic, issuer } from '../support/server.ts';
import { storeKinds } from '../support/stores.ts';
import {
  assertionForm,
  clientSecret,
  seconds,
  tokenEndpointFixture,
} from '../support/token-endpoint-fixture.ts';

it.each(storeKinds)(
  'no secret, token, proof or assertion in any log line, on $name',
  async (kind) => {
    const fixture = await tokenEndpointFixture({ kind, env: { LOG_LEVEL: 'trace' } });
    const proofs = [
      await fixture.key.proof(),
      await fixture.key.proof(),
      await fixture.key.proof(),
    ];
    const assertions = [
      await fixture.key.assertion('signer'),
      await fixture.key.assertion('signer', { aud: 'x' }),
    ];
    const tokens: string[] = [];
    const ask = async (asked: Parameters<typeof fixture.send>[0]) => {
      const { access_token: token } = JSON.parse((await fixture.send(asked)).body) as {
        access_token?: string;
      };
      if (token !== undefined) tokens.push(token);
    };
    // What works, what is replayed, what is refused, and what comes in the wrong place.
    for (const dpop of [...proofs.slice(0, 2), ...proofs.slice(0, 2)]) await ask({ dpop });
    for (const assertion of [...assertions, ...assertions])
      await ask({ authorization: null, form: assertionForm(assertion) });
    await ask({ authorization: basic('app', `${clientSecret}-wrong`), dpop: proofs[2] ?? '' });
    await ask({
      form: {
        grant_type: 'client_credentials',
        scope: clientSecret,
        req_cnf: JSON.stringify({ jwk: { kty: 'oct', k: clientSecret } }),
      },
    });
    const { body: trusted } = await fixture.server.admin('POST', 'trusted-issuers', {
      issuer: 'https://platform.example.com',
      purposes: ['workload'],
      jwks: { keys: [fixture.key.jwk] },
    });
    const platformToken = await fixture.key.sign(
      { iss: 'https://platform.example.com', sub: 'w', aud: issuer, exp: seconds + 600 },
      {},
    );
    assertions.push(platformToken);
    const asGrant = {
      grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
      assertion: platformToken,
    };
    for (const form of [assertionForm(platformToken), asGrant])
      await ask({ authorization: null, form });
    await fixture.server.admin('POST', `trusted-issuers/${trusted.id}/rules`, {
      claims: { sub: 'w' },
      subject: 'ns:{sub}',
      resources: ['https://rs.example.com'],
    });
    await ask({ authorization: null, form: asGrant });
    await fixture.server.admin('POST', `trusted-issuers/${trusted.id}/try`, {
      token: platformToken,
    });
    await fixture.server.get(`/jwks?access_token=${tokens[0]}&client_secret=${clientSecret}`);
    await fixture.server.get(`/nowhere/${clientSecret}`);
    await fixture.server.post(
      '/introspect',
      { token: tokens[0] },
      { authorization: basic('app', clientSecret) },
    );
    await fixture.server.post(
      '/revoke',
      { token: tokens[0] },
      { authorization: basic('app', clientSecret) },
    );
    const made = (await fixture.server.admin('POST', 'clients', { client_name: 'logged' }))
      .body as {
      client_secret: string;
    };
    await fixture.server.admin('POST', 'clients', {
      client_secret: clientSecret,
      foo: clientSecret,
    });
    await fixture.server.stop();

    const logged = JSON.stringify(fixture.server.logs);
    expect(fixture.server.logs.length).toBeGreaterThan(15);
    expect(tokens.length).toBeGreaterThanOrEqual(4);
    const secrets = [
      clientSecret,
      adminToken,
      made.client_secret,
      ...proofs,
      ...assertions,
      ...tokens,
    ];
    expect(
      secrets.filter(
        (secret) => logged.includes(secret) || logged.includes(secret.split('.')[2] ?? secret),
      ),
    ).toEqual([]);
  },
);
