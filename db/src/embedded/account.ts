import { readFile, stat } from 'node:fs/promises';
import { userInfo } from 'node:os';

/** Who the server runs as. `uid` null: whoever we are. */
export type Account = { name: string; uid: null; gid: null } | { name: string; uid: number; gid: number };

/**
 * PostgreSQL refuses to run as root. For root this is the owner of the existing cluster, or `nobody` for a new one;
 * for everyone else it is themselves.
 */
export async function serverAccount(clusterDir: string): Promise<Account> {
  const cluster = await stat(clusterDir).catch(() => null);
  if (process.getuid?.() !== 0) {
    if (cluster !== null && process.getuid !== undefined && cluster.uid !== process.getuid()) {
      throw new Error(
        `${clusterDir} belongs to uid ${cluster.uid}, and this is uid ${process.getuid()}: ` +
          'the database was made by another user (or by root, as nobody). Start as that user, or set DATA_DIR elsewhere.',
      );
    }
    return { name: userInfo().username, uid: null, gid: null };
  }
  if (cluster !== null && cluster.uid !== 0) return { name: `uid ${cluster.uid}`, uid: cluster.uid, gid: cluster.gid };
  return unprivilegedAccount(await readFile('/etc/passwd', 'utf8').catch(() => ''));
}

function unprivilegedAccount(passwd: string): Account {
  for (const line of passwd.split('\n')) {
    const [name, , uid, gid] = line.split(':');
    if (name === 'nobody' && Number(uid) > 0) return { name, uid: Number(uid), gid: Number(gid) };
  }
  // The number the kernel itself gives to an owner it cannot name.
  return { name: 'nobody', uid: 65_534, gid: 65_534 };
}
