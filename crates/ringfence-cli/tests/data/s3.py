"""S3 as `moto` has it, with its checks of signatures and of rights, and boto3 as a second client.

    s3.py serve PORT FOLDER                       writes FOLDER/keys.json, then serves until it is killed
    s3.py COMMAND URL ID SECRET BUCKET KEY [...]  get, copy BUCKET; prints what it gets
"""

import json
import os
import sys
import threading
import urllib.request

import boto3

REGION = "eu-central-1"


def client(service, url, key, secret):
    return boto3.client(
        service, endpoint_url=url, region_name=REGION, aws_access_key_id=key, aws_secret_access_key=secret
    )


def policy(*actions):
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def user(iam, name, document):
    iam.create_user(UserName=name)
    if document:
        iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=document)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return [key["AccessKeyId"], key["SecretAccessKey"]]


def serve(port, folder):
    from moto.server import ThreadedMotoServer

    ThreadedMotoServer(ip_address="127.0.0.1", port=int(port), verbose=True).start()
    url = f"http://127.0.0.1:{port}"
    service = lambda name: client(name, url, "setting", "up")
    for bucket in ["assets", "copies", "notes"]:
        service("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    reads, writes = policy("s3:GetObject", "s3:ListBucket"), policy("s3:*")
    iam = service("iam")
    trust = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": "*"}]})
    role = iam.create_role(RoleName="ci", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    iam.put_role_policy(RoleName="ci", PolicyName="own", PolicyDocument=writes)
    lent = service("sts").assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
    keys = {
        "reads": user(iam, "reads", reads),
        "writes": user(iam, "writes", writes),
        "neither": user(iam, "neither", None),
        "lent": [lent["AccessKeyId"], lent["SecretAccessKey"], lent["SessionToken"]],
    }
    # From here on every request is checked.
    headers = {"content-type": "text/plain"}
    urllib.request.urlopen(urllib.request.Request(f"{url}/moto-api/reset-auth", b"0", headers, method="POST"))
    client("s3", url, *keys["writes"]).list_objects(Bucket="notes")
    with open(f"{folder}/keys.json.begun", "w") as file:
        json.dump(keys, file)
    os.rename(f"{folder}/keys.json.begun", f"{folder}/keys.json")
    threading.Event().wait()


def main(command, *words):
    if command == "serve":
        return serve(*words)
    url, key, secret, bucket, name, *rest = words
    s3 = client("s3", url, key, secret)
    if command == "get":
        print(s3.get_object(Bucket=bucket, Key=name)["Body"].read().decode())
    elif command == "copy":
        s3.copy_object(Bucket=rest[0], Key=name, CopySource={"Bucket": bucket, "Key": name})


main(*sys.argv[1:])
