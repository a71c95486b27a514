"""A reconciler as one would write it in Python: what an account should be is known, and all that differ are counted.

    reconciler.py http HOST:PORT TOKEN PATH COUNT    fetches pages of SCIM with orjson
    reconciler.py duckdb FILE                        has DuckDB compare a file of such pages, one a line

Takes what is there first as what should be. Then, for each line on its standard input, compares once more and prints the
seconds that took, and how many accounts are as they should be.
"""

import sys
import time


def over_http(address, token, path, count):
    import http.client

    import orjson

    connection = http.client.HTTPConnection(address)
    headers = {"Authorization": f"Bearer {token}"}

    def accounts():
        start = 1
        while True:
            connection.request("GET", f"{path}?startIndex={start}&count={count}", headers=headers)
            page = orjson.loads(connection.getresponse().read())
            for user in page["Resources"]:
                groups = frozenset(group["value"] for group in user.get("groups", ()))
                yield user["id"], (user.get("active"), user.get("displayName"), user["userName"], groups)
            start += len(page["Resources"])
            if start > page["totalResults"] or not page["Resources"]:
                return

    expected = dict(accounts())

    def compare():
        unseen, same = set(expected), 0
        for account, state in accounts():
            unseen.discard(account)
            same += expected.get(account) == state
        assert not unseen
        return same

    return compare


def in_duckdb(file):
    import duckdb

    database = duckdb.connect()
    user = "STRUCT(id VARCHAR, active BOOLEAN, displayName VARCHAR, userName VARCHAR, groups STRUCT(value VARCHAR)[])"
    shown = f"""
        SELECT u.id AS id, u.active AS active, u.displayName AS name, u.userName AS login,
               list_sort(list_transform(u.groups, lambda g: g.value)) AS groups
        FROM (SELECT unnest(Resources) AS u FROM read_json('{file}', format = 'newline_delimited',
              columns = {{Resources: '{user}[]'}}, maximum_object_size = 67108864))
    """
    database.execute(f"CREATE TABLE expected AS {shown}")

    def compare():
        query = f"""
            SELECT count(*) FROM ({shown}) AS s JOIN expected AS e ON s.id = e.id
            WHERE s.active = e.active AND s.name = e.name AND s.login = e.login AND s.groups = e.groups
        """
        return database.execute(query).fetchone()[0]

    return compare


def main():
    kind, *arguments = sys.argv[1:]
    compare = {"http": over_http, "duckdb": in_duckdb}[kind](*arguments)
    print("ready", flush=True)
    for _ in sys.stdin:
        begun = time.perf_counter()
        same = compare()
        print(time.perf_counter() - begun, same, flush=True)


main()
