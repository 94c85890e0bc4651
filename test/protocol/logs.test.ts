import { expect, it } from 'vitest';
import { assertionForm, clientSecret, openDesk } from '../support/desk.ts';
import { adminToken, basic } from '../support/server.ts';
import { storeKinds } from '../support/stores.ts';

it.each(storeKinds)(
  'no secret, token, proof or assertion in any log line, on $name',
  async (kind) => {
    const desk = await openDesk({ kind, env: { LOG_LEVEL: 'trace' } });
    const proofs = [await desk.key.proof(), await desk.key.proof(), await desk.key.proof()];
    const assertions = [
      await desk.key.assertion('signer'),
      await desk.key.assertion('signer', { aud: 'x' }),
    ];
    const tokens: string[] = [];
    const ask = async (asked: Parameters<typeof desk.send>[0]) => {
      const { access_token: token } = JSON.parse((await desk.send(asked)).body) as {
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
    await desk.server.get(`/jwks?access_token=${tokens[0]}&client_secret=${clientSecret}`);
    await desk.server.get(`/nowhere/${clientSecret}`);
    await desk.server.post(
      '/introspect',
      { token: tokens[0] },
      { authorization: basic('app', clientSecret) },
    );
    await desk.server.post(
      '/revoke',
      { token: tokens[0] },
      { authorization: basic('app', clientSecret) },
    );
    const made = (await desk.server.admin('POST', 'clients', { client_name: 'logged' })).body as {
      client_secret: string;
    };
    await desk.server.admin('POST', 'clients', { client_secret: clientSecret, foo: clientSecret });
    await desk.server.stop();

    const logged = JSON.stringify(desk.server.logs);
    expect(desk.server.logs.length).toBeGreaterThan(15);
    expect(tokens.length).toBeGreaterThanOrEqual(3);
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
