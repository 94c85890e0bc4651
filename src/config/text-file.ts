const reasons: Readonly<Record<string, string>> = {
  EACCES: 'permission is denied',
  EEXIST: 'it exists already',
  EISDIR: 'it is a folder',
  ELOOP: 'its symbolic links form a circle',
  EMFILE: 'this process has too many open files',
  ENAMETOOLONG: 'its name is too long',
  ENOENT: 'it does not exist',
  ENOSPC: 'the disk is full',
  ENOTDIR: 'its path goes through something that is not a folder',
  EPERM: 'permission is denied',
  EROFS: 'the disk is read-only',
};

/** Says in words why a file cannot be read or written. */
export function fileReason(error: unknown): string {
  const { code, name } = error as { readonly code?: unknown; readonly name?: unknown };
  if (typeof code !== 'string') return String(name);
  return Object.hasOwn(reasons, code) ? (reasons[code] as string) : code;
}

/** Decodes UTF-8 without its byte order mark; undefined: the bytes are not UTF-8. */
export function utf8Text(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
