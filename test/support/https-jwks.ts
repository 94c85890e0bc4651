import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';

/** A JWK Set behind https on loopback, with a certificate that this process trusts from now on. */
export interface HttpsJwks {
  readonly uri: string;
  /** Assign `current` to publish other keys. */
  readonly keys: { current: readonly object[] };
  close(): Promise<void>;
}

/** Serves these keys. Start it before the server that shall trust it. */
export async function httpsJwks(current: readonly object[]): Promise<HttpsJwks> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-tls-'));
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '2'];
  execFileSync(
    'openssl',
    ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', key, '-out', cert, ...subject],
    {
      stdio: 'ignore',
    },
  );
  const tls = { key: readFileSync(key), cert: readFileSync(cert, 'utf8') };
  rmSync(folder, { recursive: true });
  setDefaultCACertificates([...getCACertificates(), tls.cert]);
  const keys = { current };
  const server = createServer(tls, (_request, response) =>
    response.setHeader('content-type', 'application/jwk-set+json').end(JSON.stringify({ keys: keys.current })),
  );
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const address = server.address();
  return {
    uri: `https://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/jwks`,
    keys,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
