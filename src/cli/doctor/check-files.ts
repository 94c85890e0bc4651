import { X509Certificate } from 'node:crypto';
import { accessSync, constants, existsSync, readFileSync, statfsSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { readConfigurationFile } from '../../admin/configuration/file.ts';
import type { Config } from '../../config/config.ts';
import { databaseFile, databaseKind } from '../../config/database-url.ts';
import { adminTokenFile } from '../../config/store-config.ts';
import { about, type Finding, reasonOf } from './finding.ts';

/** Bytes that must be free where the database is. */
const enoughSpace = 100 * 1024 * 1024;

/** Days before its end at which a certificate should be replaced. */
export const renewalDays = 14;

/** Checks the files: space, modes, whether the database can be written, certificates. */
export function checkFiles(
  config: Config,
  env: Readonly<Record<string, string | undefined>>,
  now: number,
): readonly Finding[] {
  const database =
    databaseKind(config.databaseUrl) === 'sqlite' ? databaseFile(config.databaseUrl) : undefined;
  const keyFiles = [config.tls?.keyFile, config.adminTls?.keyFile];
  const secrets = Object.entries(env).flatMap(([name, path]) =>
    /(TOKEN|KEY|SECRET|URL|_NEXT)_FILE$/.test(name) ? [path] : [],
  );
  const own = [config.keyEncryptionKeyFile, adminTokenFile(config.keyEncryptionKeyFile)];
  // Rows are in the log of the database as well.
  const ofDatabase = database === undefined ? [] : [database, `${database}-wal`, `${database}-shm`];
  const sink = config.auditSink?.kind === 'file' ? [config.auditSink.path] : [];
  const read = [...secrets, ...declaredSecretFiles(config.configurationFile)];
  const certificates = [
    ['TLS_CERT_FILE', config.tls?.certFile],
    ['ADMIN_TLS_CERT_FILE', config.adminTls?.certFile],
  ] as const;
  return [
    checkSpace(dirname(database ?? config.keyEncryptionKeyFile)),
    ...(database === undefined ? [] : [checkWritable(database)]),
    ...checkModes([...ofDatabase, ...own, ...sink, ...keyFiles, ...read]),
    ...checkFolders([...ofDatabase, ...own, ...sink]),
    ...certificates.flatMap(([name, file]) =>
      file === undefined ? [] : [checkCertificateFile(name, file, now)],
    ),
  ];
}

function checkSpace(folder: string): Finding {
  const disk = about('disk space', 'at least 100 MiB free', 'operations/sizing.md');
  const existing = existingAbove(folder);
  const { bavail, bsize } = statfsSync(existing);
  const found = `${Math.floor((bavail * bsize) / 1024 / 1024)} MiB free in ${existing}`;
  return bavail * bsize >= enoughSpace
    ? disk.ok(found)
    : disk.fault(found, 'Free some space, or enlarge the volume: without it no token is issued.');
}

function existingAbove(folder: string): string {
  const path = resolve(folder);
  return existsSync(path) ? path : existingAbove(dirname(path));
}

function checkWritable(file: string): Finding {
  const writable = about('database file', 'can be written', 'operations/backup.md');
  const mend =
    'Mount the volume for writing, and give the file and its folder to the user of the server.';
  try {
    accessSync(existingAbove(dirname(file)), constants.W_OK);
    if (!existsSync(file))
      return writable.ok(`${file} does not exist yet: the first start makes it`);
    accessSync(file, constants.W_OK);
    return writable.ok(file);
  } catch (error) {
    return writable.fault(`${file} or its folder is read-only (${reasonOf(error)})`, mend);
  }
}

/** The files that a configuration file names as secrets. */
function declaredSecretFiles(given: Config['configurationFile']): readonly string[] {
  if (given === undefined || !existsSync(given.path)) return [];
  const files: string[] = [];
  const fromFile = (path: string) => {
    files.push(path);
    return given.secrets.fromFile(path);
  };
  readConfigurationFile(given.path, readFileSync(given.path, 'utf8'), {
    ...given.secrets,
    fromFile,
  });
  return files;
}

/** Whoever may write to a folder can put a file of their own in the place of each in it. */
function checkFolders(files: readonly string[]): readonly Finding[] {
  const folders = new Set(files.map((file) => resolve(dirname(file))).filter(existsSync));
  const modes = about('folder modes', 'none that others can write to', 'operations/systemd.md');
  const open = [...folders].filter((folder) => (statSync(folder).mode & 0o002) !== 0);
  return open.length === 0
    ? [modes.ok(`others write to none of ${folders.size}`)]
    : open.map((folder) =>
        modes.fault(
          `${folder} has the mode ${modeOf(folder)}`,
          `chmod o-w ${folder} – others may have put files there.`,
        ),
      );
}

function modeOf(path: string): string {
  return (statSync(path).mode & 0o7777).toString(8);
}

function checkModes(files: readonly (string | undefined)[]): readonly Finding[] {
  const modes = about('file modes', 'no secret that others can read', 'operations/systemd.md');
  const there = [...new Set(files)].filter((file) => file !== undefined && existsSync(file));
  const open = there.filter((file = '') => (statSync(file).mode & 0o007) !== 0);
  return open.length === 0
    ? [modes.ok(`${there.length} files are private`)]
    : open.map((file = '') =>
        modes.fault(
          `${file} has the mode ${modeOf(file)}`,
          `chmod 600 ${file} – and replace the secret in it: others may have read it.`,
        ),
      );
}

function checkCertificateFile(name: string, file: string, now: number): Finding {
  const certificate = about(
    name,
    `ends in ${renewalDays} days or later`,
    'front-doors/direct-tls.md',
  );
  try {
    const end = new X509Certificate(readFileSync(file)).validToDate.getTime();
    const days = Math.floor((end - now) / 86_400_000);
    const found = days < 0 ? `ended ${-days} days ago` : `ends in ${days} days`;
    return days >= renewalDays
      ? certificate.ok(found)
      : certificate.fault(found, `Renew the certificate in ${file}; the server reads it again.`);
  } catch (error) {
    return certificate.fault(`${file}: ${reasonOf(error)}`, 'Name a PEM file that can be read.');
  }
}
