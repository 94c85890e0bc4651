import { normalize } from 'node:path';

/** The databases that Holdfast runs on. */
export const databaseKinds = ['sqlite', 'postgresql'] as const;
export type DatabaseKind = (typeof databaseKinds)[number];

/** A `DATABASE_URL` that cannot be used; the message says why, and never repeats the URL. */
export class DatabaseUrlError extends Error {
  override readonly name = 'DatabaseUrlError';
}

/** Tells which kind of database a `DATABASE_URL` names. */
export function databaseKind(url: string): DatabaseKind {
  return url.startsWith('file:') ? 'sqlite' : 'postgresql';
}

/**
 * Reads the path of a `file:` URL (RFC 8089), absolute or relative to the working folder: the host
 * is empty or `localhost`, the path is percent-encoded, there is no query and no fragment.
 * Throws DatabaseUrlError.
 */
export function databaseFile(url: string): string {
  const rest = url.slice('file:'.length);
  const [, name] = /\?([^=&#]*)/.exec(rest) ?? [];
  if (rest.includes('#')) throw new DatabaseUrlError('a fragment: write # in a file name as %23');
  if (name !== undefined)
    throw new DatabaseUrlError(
      `a query (${/^\w+$/.test(name) ? name : 'after ?'}), of which none is known: write ? in a file name as %3F`,
    );
  const [, host = '', path = ''] = /^(?:\/\/([^/]*))?(.*)$/s.exec(rest) ?? [];
  if (host !== '' && host.toLowerCase() !== 'localhost')
    throw new DatabaseUrlError('a host other than localhost: write file:///absolute/path');
  let file: string;
  try {
    file = decodeURIComponent(path);
  } catch {
    throw new DatabaseUrlError('a % that encodes nothing: write % in a file name as %25');
  }
  if (file === '' || file.endsWith('/') || file.includes('\0') || file === ':memory:')
    throw new DatabaseUrlError('no path of a file');
  return normalize(file);
}

/** Builds the URL of a file in the form that `databaseFile` reads, for drivers that take URLs. */
export function fileUrl(file: string): string {
  return `file:${file.split('/').map(encodeURIComponent).join('/')}`;
}

/** Says where a PostgreSQL database is, without user, password and other parameters. */
export function databasePlace(url: string): string {
  if (!URL.canParse(url)) return 'a database of PostgreSQL';
  const { hostname, port, pathname, searchParams } = new URL(url);
  const name = pathname.slice(1);
  const host = searchParams.get('host') ?? (hostname === '' ? 'localhost' : hostname);
  const at = `${host} port ${searchParams.get('port') ?? (port === '' ? '5432' : port)}`;
  return name === '' ? `the role's own database at ${at}` : `the database ${name} at ${at}`;
}
