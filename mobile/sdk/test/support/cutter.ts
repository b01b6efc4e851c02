/**
 * A TCP proxy that cuts connections: after so many bytes in one direction both sides are reset.
 *
 * Must not know: HTTP. Invariant: until the cut every byte passes unchanged, in order.
 */
import { connect, createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'

export class Cutter {
  /** Bytes after which the next connection is cut, by direction; Infinity never. */
  up = Infinity
  down = Infinity
  cuts = 0
  private server: Server
  private readonly sockets = new Set<Socket>()

  private constructor(private readonly target: URL) {
    this.server = createServer((client) => this.pipe(client))
  }

  static async before(url: string): Promise<Cutter> {
    const cutter = new Cutter(new URL(url))
    await new Promise<void>((resolve) => cutter.server.listen(0, '127.0.0.1', resolve))
    return cutter
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy()
    await new Promise((resolve) => this.server.close(resolve))
  }

  private pipe(client: Socket): void {
    const server = connect(Number(this.target.port), this.target.hostname)
    const both = [client, server]
    const end = (): void => both.forEach((socket) => socket.destroy())
    for (const socket of both) {
      this.sockets.add(socket)
      socket.on('error', end)
      socket.on('close', () => (this.sockets.delete(socket), end()))
    }
    this.forward(client, server, () => this.up, end)
    this.forward(server, client, () => this.down, end)
  }

  private forward(from: Socket, to: Socket, limit: () => number, end: () => void): void {
    let passed = 0
    from.on('data', (data: Buffer) => {
      const left = limit() - passed
      passed += data.length
      if (data.length <= left) {
        to.write(data)
        return
      }
      this.cuts += 1
      to.write(data.subarray(0, Math.max(left, 0)), end)
    })
  }
}
