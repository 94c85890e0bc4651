// The app's server. It signs the consent that puts its key into the app's token, and uses that token
// with its own key.
import { type Answer, serve } from './http.ts';
import type { OwnKey } from './key.ts';

/**
 * Starts the backend. `POST /pair {"jkt"}` returns a proof for the key that the app names in its
 * session (here a shared secret) and for no other: without the session check the server would sign
 * for the key of a thief.
 */
export async function startBackend(issuer: string, audience: string, key: OwnKey, session: string) {
  return serve(async ({ headers }, body): Promise<Answer> => {
    if (headers.cookie !== `session=${session}`)
      return { status: 401, body: { error: 'not_signed_in' } };
    const { jkt } = JSON.parse(body) as { jkt: string };
    const now = Math.floor(Date.now() / 1000);
    const proof = await key.sign(
      {
        iss: 'cal-backend',
        aud: issuer,
        client_id: 'cal-app',
        cnf: { jkt },
        resource: [audience],
        exp: now + 120,
      },
      { typ: 'cnf-proof+jwt', kid: 'be-1' },
    );
    return { status: 200, body: { proof } };
  });
}

/** A token of its own for a resource server that does not know `alt_cnf` (RFC 8693). */
export async function exchange(
  issuer: string,
  key: OwnKey,
  subjectToken: string,
): Promise<Response> {
  const exp = Math.floor(Date.now() / 1000) + 60;
  return fetch(`${issuer}/token`, {
    method: 'POST',
    headers: { dpop: await key.dpop('POST', `${issuer}/token`) },
    body: new URLSearchParams({
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: subjectToken,
      subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: await key.sign(
        { iss: 'cal-backend', sub: 'cal-backend', aud: issuer, exp },
        { kid: 'be-1' },
      ),
    }),
  });
}
