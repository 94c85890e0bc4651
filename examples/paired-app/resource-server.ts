// A resource server: `@holdfast/resource-server` checks token and proof, and introspection
// (RFC 7662) adds that neither was withdrawn meanwhile.
import {
  resourceServer,
  TokenRefused,
  type VerifyPresented,
} from '../../packages/resource-server/src/resource-server.ts';
import { type Answer, serve } from './http.ts';

/**
 * Starts the resource server; `altCnf` says whether it knows the claim `alt_cnf`. Its audience is its
 * URL, which is known once it listens.
 */
export async function startResourceServer(
  issuer: string,
  clientId: string,
  secret: string,
  altCnf: boolean,
) {
  let verify: VerifyPresented | undefined;
  const server = await serve(async (request): Promise<Answer> => {
    verify ??= resourceServer({
      issuer: { issuer, altCnf },
      audience: server.url,
      confirmationMethods: ['jkt'],
    });
    try {
      const { method = '', url = '', rawHeaders: headers } = request;
      const { presenter, claims } = await verify({ method, url: server.url + url, headers });
      const token = request.headers.authorization?.split(' ')[1] ?? '';
      if (!(await holders(token)).includes(presenter))
        return { status: 401, body: { error: 'invalid_token' } };
      return { status: 200, body: { calendar_of: claims.sub, presented_by: presenter } };
    } catch (refused) {
      if (!(refused instanceof TokenRefused)) throw refused;
      return {
        status: refused.status,
        headers: { 'www-authenticate': refused.challenges.join(', ') },
        body: refused.body,
      };
    }
  });
  /** Who holds the token at this moment. */
  async function holders(token: string): Promise<readonly string[]> {
    const response = await fetch(`${issuer}/introspect`, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa(`${clientId}:${secret}`)}` },
      body: new URLSearchParams({ token }),
    });
    const seen = (await response.json()) as {
      active: boolean;
      client_id: string;
      alt_cnf?: { client_id: string }[];
    };
    return seen.active
      ? [seen.client_id, ...(seen.alt_cnf ?? []).map(({ client_id }) => client_id)]
      : [];
  }
  return server;
}
