/**
 * Where an installation keeps what must outlive its database: its id, its tokens, the number of its last push.
 *
 * An app should give the keychain of its platform (expo-secure-store, react-native-keychain): a refresh token is as good as a
 * password. `localStore` keeps things in the database, for the browser and for tests; a reset of the database takes them along,
 * so that the installation begins anew as a whole.
 *
 * Owns: the interface, and the store in the database. Must not know: what is kept.
 * Invariant: what was set is there after a restart (test/unit/status.test.ts).
 */
import type { Database } from '@nozbe/watermelondb'

export interface SecretStore {
  get(key: string): Promise<string | null>
  set(key: string, value: string): Promise<void>
  remove(key: string): Promise<void>
}

export function localStore(database: Database): SecretStore {
  return {
    get: async (key) => (await database.adapter.getLocal(key)) ?? null,
    set: (key, value) => database.adapter.setLocal(key, value),
    remove: (key) => database.adapter.removeLocal(key),
  }
}
