// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// chdb.mjs FOLDER PORT: serves a ClickHouse that runs in this process (npm's package chdb) over HTTP, as far as
// slowpath/clickhouse/ needs it. Keeps its tables, and the rows of the present INSERT, in FOLDER.
// NODE_PATH names the directory with the package.
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { writeFileSync } from 'node:fs'

const { Session } = createRequire(import.meta.url)('chdb')
const [folder, port] = process.argv.slice(2)
const session = new Session(`${folder}/data`)

// Runs a statement. Rows of an INSERT are read from a file, because they are not text.
async function run(database, statement, rows) {
	await session.queryAsync(`USE ${database || 'default'}`)
	if (rows.length) {
		const file = `${folder}/rows`

		writeFileSync(file, rows)
		statement = statement.replace(' FORMAT RowBinary', ` FROM INFILE '${file}' FORMAT RowBinary`)
	}
	const format = statement.match(/ FORMAT (\w+)$/)?.[1] ?? 'TabSeparated'
	const result = await session.queryAsync(statement.replace(/^(SELECT.*) FORMAT \w+$/s, '$1'), { format })

	return Buffer.from(result.bytes())
}

let last = Promise.resolve()

createServer((request, response) => {
	const { searchParams } = new URL(request.url, 'http://localhost')
	const chunks = []

	request.on('data', (chunk) => chunks.push(chunk))
	request.on('end', () => {
		const body = Buffer.concat(chunks), query = searchParams.get('query')

		// One statement after the other: the database is chosen for the whole session.
		last = last
			.then(() => run(searchParams.get('database'), query ?? body.toString(), query ? body : Buffer.alloc(0)))
			.then((answer) => response.end(answer))
			.catch((error) => {
				response.statusCode = 500
				response.end(`${error.message}\n`)
			})
	})
}).listen(Number(port), '127.0.0.1')
