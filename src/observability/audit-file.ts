import { accessSync, constants, statSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Logger } from 'pino';
import type { DeliverEvents } from './audit-sink.ts';

const { O_APPEND, O_CREAT, O_NONBLOCK, O_RDWR, O_WRONLY, R_OK, W_OK } = constants;

const newline = 0x0a;

/**
 * Appends to a file, and waits for the disk. Each delivery reopens the file, so that log rotation
 * can simply move it away.
 */
export function toFile(path: string, logger: Pick<Logger, 'warn'>): DeliverEvents {
  let writing = false;
  let said = false;
  const onForeign = () => {
    if (!said) logger.warn('the file of AUDIT_SINK is open to others, and belongs to another user');
    said = true;
  };
  return async (lines) => {
    // A late delivery may still be waiting for the disk; one such write is enough.
    if (writing) throw new Error('the disk has not taken the audit events before these');
    writing = true;
    await append(path, lines, onForeign).finally(() => {
      writing = false;
    });
  };
}

async function append(
  path: string,
  lines: readonly string[],
  onForeign: () => void,
): Promise<void> {
  const { file, mayRead } = await openToAppend(path);
  try {
    const found = await file.stat();
    if (!found.isFile()) throw new Error(notAFile(path));
    // Removes access by others, but keeps the group's, which a log collector may need.
    if ((found.mode & 0o007) !== 0 && !(await changeMode(file, found.mode & 0o770))) onForeign();
    // A full disk or a crash truncates a line. A newline ends it, because others may write and read
    // here; its event is sent again.
    const isWhole = found.size === 0 || (mayRead && (await endsLine(file, found.size)));
    await file.appendFile(`${isWhole ? '' : '\n'}${lines.join('\n')}\n`);
    await file.datasync();
    if (found.size === 0) await syncFolder(dirname(path));
  } finally {
    await file.close();
  }
}

/** Another user's file may be write-only for the server. */
async function openToAppend(path: string): Promise<{ file: FileHandle; mayRead: boolean }> {
  // Opening a pipe must not wait for its reader.
  const flags = O_APPEND | O_CREAT | O_NONBLOCK;
  try {
    return { file: await open(path, O_RDWR | flags, 0o600), mayRead: true };
  } catch (error) {
    if (!hasCode(error, 'EACCES')) throw error;
    return { file: await open(path, O_WRONLY | flags, 0o600), mayRead: false };
  }
}

/** Returns false if the file belongs to another user, which leaves it unchanged. */
async function changeMode(file: FileHandle, mode: number): Promise<boolean> {
  try {
    await file.chmod(mode);
    return true;
  } catch (error) {
    if (!hasCode(error, 'EPERM')) throw error;
    return false;
  }
}

async function endsLine(file: FileHandle, size: number): Promise<boolean> {
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, size - 1);
  return buffer[0] === newline;
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

/** Makes the directory entry of a new file durable. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Tells why no audit event could be appended to this file; undefined: one could. */
export function auditFileFault(path: string): string | undefined {
  try {
    const found = statSync(path, { throwIfNoEntry: false });
    if (found?.isFile() === false) return notAFile(path);
    if (found === undefined) accessSync(dirname(path), R_OK | W_OK);
    else accessSync(path, W_OK);
    return undefined;
  } catch (error) {
    return `AUDIT_SINK cannot be written (${(error as Error).message})`;
  }
}

function notAFile(path: string): string {
  return `AUDIT_SINK must be a regular file, which ${path} is not`;
}
