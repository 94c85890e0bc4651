import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { certificate } from './certificates.ts';

/** A JWK Set behind https on loopback, with a certificate that this process trusts from now on. */
export interface HttpsJwks {
  readonly uri: string;
  /** Assign `current` to publish other keys. */
  readonly keys: { current: readonly object[] };
  /** Set it, and it is the document instead. */
  text?: string;
  /** Set it, and nothing can be read. */
  broken: boolean;
  /** Request targets so far; every query is a URI, and a cool-down, of its own. */
  readonly requests: string[];
  /** Assign one to keep every answer waiting for it. */
  gate: Promise<void>;
  close(): Promise<void>;
}

/** Serves these keys. Start it before the server that shall trust it. */
export async function httpsJwks(current: readonly object[]): Promise<HttpsJwks> {
  // A name of its own: of two trust anchors with one name OpenSSL may take the wrong one.
  const issued = await certificate({
    subject: `CN=127.0.0.1, O=${randomUUID()}`,
    names: [{ type: 'ip', value: '127.0.0.1' }],
  });
  const tls = { key: issued.keyPem, cert: issued.pem };
  setDefaultCACertificates([...getCACertificates(), tls.cert]);
  const keys = { current };
  const server = createServer(tls, ({ url = '' }, response) => {
    made.requests.push(url);
    void made.gate.then(() => answer(response));
  });
  const answer = (response: ServerResponse) => {
    if (made.broken) response.writeHead(500).end();
    else
      response
        .setHeader('content-type', 'application/jwk-set+json')
        .end(made.text ?? JSON.stringify({ keys: keys.current }));
  };
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const address = server.address();
  const made: HttpsJwks = {
    broken: false,
    requests: [],
    gate: Promise.resolve(),
    uri: `https://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/jwks`,
    keys,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return made;
}
