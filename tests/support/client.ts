import { Client } from 'pg'

/** A bare connection for a test's own questions, closed when the work ends. */
export async function withClient<T>(url: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url })
  // A test may end the connection on purpose; without a listener that would end the test runner as well.
  client.on('error', () => undefined)
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}
