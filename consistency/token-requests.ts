import { createHash } from 'node:crypto';
import { decodeJwt } from 'jose';
import { randomJti, type TestKey } from '../test/support/keys.ts';
import { basic, issuer } from '../test/support/server.ts';
import type { Asked, Asker } from './ask.ts';

/** The one resource server, which authenticates with `secret`. */
export const audience = 'https://rs.example.com';
export const resourceServerId = 'rs';
export const secret = 's'.repeat(32);
const jwtBearer = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

/**
 * A client with its key. `signs`: it authenticates by private_key_jwt. `shares`: its tokens also
 * name this additional holder.
 */
export interface Actor {
  readonly client: string;
  readonly key: TestKey;
  readonly signs?: boolean;
  readonly shares?: Actor;
}

/** A JWT that can be used once, and its name in the record. */
interface Once {
  readonly text: string;
  readonly use: string;
}

/** A token request that can be sent repeatedly. */
export interface PreparedRequest {
  readonly actor: Actor;
  readonly proof: Once;
  readonly assertion?: Once;
  readonly cnfProof?: Once;
}

/** An issued token. */
export interface Held {
  readonly text: string;
  readonly jti: string;
  readonly actor: Actor;
}

const seconds = () => Math.floor(Date.now() / 1000);

async function once(kind: string, sign: (jti: string) => Promise<string>): Promise<Once> {
  const jti = randomJti();
  return { text: await sign(jti), use: `${kind} ${jti}` };
}

/** A new assertion of a client. */
export const assertionOf = ({ client, key }: Actor): Promise<Once> =>
  once('assertion', (jti) => key.assertion(client, { jti, iat: seconds(), exp: seconds() + 120 }));

/** A DPoP proof for the token endpoint, or for another request with a token. */
export const proofOf = ({ key }: Actor, claims: object = {}): Promise<Once> =>
  once('proof', (jti) => key.proof({ jti, iat: seconds(), ...claims }));

/** Prepares a token request, with the `reused` parts of an earlier one. */
export async function prepare(
  actor: Actor,
  reused: Partial<Pick<PreparedRequest, 'proof' | 'assertion' | 'cnfProof'>> = {},
): Promise<PreparedRequest> {
  const { client, key, signs = false, shares } = actor;
  const consent = (holder: Actor) =>
    once('cnf-proof', (jti) =>
      holder.key.sign(
        {
          iss: holder.client,
          aud: issuer,
          client_id: client,
          cnf: { jkt: key.jkt },
          iat: seconds(),
          exp: seconds() + 120,
          jti,
        },
        { typ: 'cnf-proof+jwt', kid: 'registered' },
      ),
    );
  return {
    actor,
    proof: await proofOf(actor),
    ...(signs && { assertion: await assertionOf(actor) }),
    ...(shares !== undefined && { cnfProof: await consent(shares) }),
    ...reused,
  };
}

/** The client authentication of a request. */
export function credentials(
  { client }: Actor,
  assertion?: Once,
): { form: Record<string, string>; headers: Record<string, string> } {
  return assertion === undefined
    ? { form: {}, headers: { authorization: basic(client, secret) } }
    : { form: { client_assertion_type: jwtBearer, client_assertion: assertion.text }, headers: {} };
}

/** Sends a token request and records the answer. */
export async function askForToken(
  asker: Asker,
  { actor, proof, assertion, cnfProof }: PreparedRequest,
): Promise<Asked & { held?: Held }> {
  const { form, headers } = credentials(actor, assertion);
  const asked = await asker.form(
    '/token',
    {
      grant_type: 'client_credentials',
      resource: audience,
      ...form,
      ...(cnfProof !== undefined && { req_alt_cnf: JSON.stringify([{ proof: cnfProof.text }]) }),
    },
    { ...headers, dpop: proof.text },
  );
  const { body, ...times } = asked;
  const text = asked.status === 200 ? String(body['access_token']) : undefined;
  const uses = [proof, assertion, cnfProof].flatMap((part) => part?.use ?? []);
  asker.record({
    op: 'token',
    ...times,
    client: actor.client,
    uses,
    ...(text !== undefined && { token: text }),
  });
  return {
    ...asked,
    ...(text !== undefined && { held: { text, jti: String(decodeJwt(text).jti), actor } }),
  };
}

/** Introspects a token, with the proof that the resource server received, if any. */
export async function introspect(asker: Asker, { text, jti }: Held, proof?: Once): Promise<void> {
  const { body, ...times } = await asker.form(
    '/introspect',
    {
      token: text,
      ...(proof !== undefined && { dpop_proof: proof.text, htm: 'GET', htu: audience }),
    },
    { authorization: basic(resourceServerId, secret) },
  );
  const { active, proof: verdict } = body as { active?: boolean; proof?: { valid: boolean } };
  const seen = {
    ...(active !== undefined && { active }),
    ...(verdict !== undefined && { proofValid: verdict.valid }),
  };
  asker.record({
    op: 'introspect',
    ...times,
    jti,
    uses: proof === undefined ? [] : [proof.use],
    ...seen,
  });
}

/** A proof of the token's holder for the resource server (RFC 9449 §7.1). */
export const proofWith = ({ text, actor }: Held): Promise<Once> =>
  proofOf(actor, {
    htm: 'GET',
    htu: audience,
    ath: createHash('sha256').update(text).digest('base64url'),
  });

/** Revokes a token by its client (RFC 7009). */
export async function giveBack(
  asker: Asker,
  { text, jti, actor }: Held,
  assertion?: Once,
): Promise<void> {
  const { form, headers } = credentials(actor, assertion);
  const { body: _, ...times } = await asker.form('/revoke', { token: text, ...form }, headers);
  asker.record({
    op: 'revoke_token',
    ...times,
    jti,
    uses: assertion === undefined ? [] : [assertion.use],
  });
}
