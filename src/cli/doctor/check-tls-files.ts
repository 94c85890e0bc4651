import { examineTlsFiles, type TlsFile } from '../../app/tls-files.ts';
import type { Config } from '../../config/config.ts';
import { about, type Finding } from './finding.ts';

/** Days before expiry when a certificate should be replaced. */
export const renewalDays = 14;

const page = 'front-doors/direct-tls.md';

/** Checks whether the server can load its TLS files, and how long the certificates are valid. */
export function checkTlsFiles(config: Config, now: number): readonly Finding[] {
  return examineTlsFiles(config).map((file) => checkTlsFile(file, now));
}

function checkTlsFile({ variable, file, certificate, fault }: TlsFile, now: number): Finding {
  const expected = variable.endsWith('KEY_FILE')
    ? 'the key of the certificate'
    : variable.endsWith('CA_FILE')
      ? 'CA certificates'
      : `a certificate that is valid for at least ${renewalDays} more days`;
  const check = about(variable, expected, page);
  if (fault !== undefined) return check.fault(fault.found, fault.mend);
  if (certificate === undefined) return check.ok(file);
  const days = Math.floor((certificate.validToDate.getTime() - now) / 86_400_000);
  const found = days < 0 ? `ended ${-days} days ago` : `ends in ${days} days`;
  return days >= renewalDays
    ? check.ok(found)
    : check.fault(found, `Renew the certificate in ${file}; the server reads it again.`);
}
