/** Files on disk as an app's: opened by their path, read where it is asked. Must not know: what is in them. */
import { open as openOnDisk } from 'node:fs/promises'

import type { OpenFile } from '../../src'

export const openFile: OpenFile = async (path) => {
  const handle = await openOnDisk(path)
  const { size } = await handle.stat()
  return {
    size,
    read: async (offset, length) => {
      const { buffer, bytesRead } = await handle.read(new Uint8Array(length), 0, length, offset)
      return buffer.subarray(0, bytesRead)
    },
    close: () => handle.close(),
  }
}
